"""The main job on both brands, over HTTP, through Serve and its proxy."""

import asyncio

import httpx
import pytest

from api.routes import VERSION
from brands.catalogue import BRANDS
from tests.e2e.main_job import main_job
from tests.e2e.people import PASSWORD, People
from tests.e2e.running import RunningPlatform
from tests.support.correspondence import correspond


@pytest.mark.parametrize("brand", sorted(BRANDS))
def test_from_sign_up_to_a_feed(platform: RunningPlatform, brand: str) -> None:
    main_job(platform, brand)


@pytest.mark.parametrize("brand", sorted(BRANDS))
def test_two_people_write_encrypted_messages(platform: RunningPlatform, brand: str) -> None:
    with httpx.Client(base_url=platform.api(brand), timeout=30) as client:
        people = People(platform, client)
        ada, bob = people.sign_up("ada"), people.sign_up("bob")
    url = platform.api(brand).rstrip("/").removesuffix(VERSION)
    asyncio.run(correspond(url, ada.username, bob.username, PASSWORD))
