"""Benchmarks that need no Ray run from beginning to end, at their smallest size."""

from __future__ import annotations

import pytest

from tests.support.smallest_benchmarks import (
    ON_A_PLATFORM,
    WITH_RAY,
    WITHOUT_RAY,
    assert_all_printed,
    figure_names,
)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("prefix", WITHOUT_RAY)
def test_every_figure_is_printed(prefix: str) -> None:
    assert_all_printed(prefix)


def test_no_figure_is_forgotten() -> None:
    run = (*WITHOUT_RAY, *ON_A_PLATFORM, *WITH_RAY)
    names = figure_names()
    assert names
    assert [name for name in names if not name.startswith(run)] == []
