"""Benchmarks that start Ray or a whole platform run from beginning to end, at their smallest size."""

from __future__ import annotations

import pytest

from tests.support.smallest_benchmarks import ON_A_PLATFORM, WITH_RAY, assert_all_printed


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "prefixes", [ON_A_PLATFORM, *((prefix,) for prefix in WITH_RAY)], ids=["on a platform", *WITH_RAY]
)
def test_every_figure_is_printed(prefixes: tuple[str, ...]) -> None:
    assert_all_printed(*prefixes)
