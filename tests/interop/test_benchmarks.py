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
@pytest.mark.parametrize("prefixes", WITHOUT_RAY.values(), ids=WITHOUT_RAY)
def test_every_figure_is_printed(prefixes: tuple[str, ...]) -> None:
    assert_all_printed(*prefixes)


def test_no_figure_is_forgotten() -> None:
    without_ray = (prefix for prefixes in WITHOUT_RAY.values() for prefix in prefixes)
    run = (*without_ray, *ON_A_PLATFORM, *WITH_RAY)
    names = figure_names()
    assert names
    assert [name for name in names if not name.startswith(run)] == []
