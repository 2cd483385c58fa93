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
        (1000, 700, [("360p", 514, 360)]),
        (321, 181, [("181p", 320, 180)]),
        (16, 16, [("16p", 16, 16)]),
    ],
)
def test_rungs(width: int, height: int, expected: list[tuple[str, int, int]]) -> None:
    rungs = ladder(replace(SOURCE, width=width, height=height), POLICY)
    assert [(rung.name, rung.width, rung.height) for rung in rungs] == expected


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
