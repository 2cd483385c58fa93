"""The main job on both brands, over HTTP, through Serve and its proxy."""

import pytest

from brands.catalogue import BRANDS
from tests.e2e.main_job import main_job
from tests.e2e.running import RunningPlatform


@pytest.mark.parametrize("brand", sorted(BRANDS))
def test_from_sign_up_to_a_feed(platform: RunningPlatform, brand: str) -> None:
    main_job(platform, brand)
