"""Which qualities a video gets."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.videos.ladder import ladder
from features.videos.model import Source
from features.videos.policy import VideoPolicy

POLICY = VideoPolicy()
SOURCE = Source(0, 1, 1920, 1080, Fraction(0), Fraction(30), 300, False, False)


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        (1920, 1080, [("360p", 640, 360), ("720p", 1280, 720), ("1080p", 1920, 1080)]),
        (1080, 1920, [("360p", 360, 640), ("720p", 720, 1280), ("1080p", 1080, 1920)]),
        (3840, 2160, [("360p", 640, 360), ("720p", 1280, 720), ("1080p", 1920, 1080)]),
        (1280, 720, [("360p", 640, 360), ("720p", 1280, 720)]),
        (1000, 700, [("360p", 514, 360), ("700p", 1000, 700)]),
        (960, 540, [("360p", 640, 360), ("540p", 960, 540)]),
        (768, 432, [("360p", 640, 360)]),
        (1440, 810, [("360p", 640, 360), ("720p", 1280, 720)]),
        (321, 181, [("181p", 320, 180)]),
        (16, 16, [("16p", 16, 16)]),
    ],
)
def test_rungs(width: int, height: int, expected: list[tuple[str, int, int]]) -> None:
    rungs = ladder(replace(SOURCE, width=width, height=height), POLICY)
    assert [(rung.name, rung.width, rung.height) for rung in rungs] == expected


def test_a_rung_between_two_has_a_rate_between_theirs() -> None:
    small, own = ladder(replace(SOURCE, width=960, height=540), POLICY)
    below, above = POLICY.ladder[:2]
    assert (own.crf, own.preset) == (above.crf, above.preset)
    assert below.max_rate == small.max_rate < own.max_rate < above.max_rate


@given(st.integers(16, 8192), st.integers(16, 8192))
def test_rungs_are_even_grow_and_enlarge_nothing(width: int, height: int) -> None:
    rungs = ladder(replace(SOURCE, width=width, height=height), POLICY)
    assert rungs
    for rung in rungs:
        assert rung.width % 2 == rung.height % 2 == 0
        assert 2 <= rung.width <= width
        assert 2 <= rung.height <= height
    areas = [rung.width * rung.height for rung in rungs]
    assert areas == sorted(set(areas))
