"""Benchmarks that start Ray or a whole platform run from beginning to end, at their smallest size."""

from __future__ import annotations

import pytest

from tests.support.smallest_benchmarks import WITH_RAY, assert_all_printed


@pytest.mark.timeout(900)
@pytest.mark.parametrize("prefix", WITH_RAY)
def test_every_figure_is_printed(prefix: str) -> None:
    assert_all_printed(prefix)
