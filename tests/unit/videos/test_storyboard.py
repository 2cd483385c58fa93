"""The storyboard."""

import itertools
from dataclasses import replace
from fractions import Fraction

from features.videos.model import Source
from features.videos.policy import VideoPolicy
from features.videos.storyboard import Storyboard
from features.videos.webvtt import parse

POLICY = VideoPolicy()
SOURCE = Source(0, 1, 1920, 1080, Fraction(0), Fraction(30), 3000, False, False)


def test_a_storyboard_has_fifty_tiles_that_cover_all_of_the_time() -> None:
    storyboard = Storyboard.of(SOURCE, POLICY)
    assert storyboard == Storyboard(50, 160, 90)
    cues = parse(storyboard.webvtt(SOURCE.duration, "storyboard.jpg"), 100)
    assert len(cues) == 50
    assert (cues[0].begins, cues[-1].ends) == (0, 100_000)
    assert all(before.ends == after.begins for before, after in itertools.pairwise(cues))
    assert cues[0].text == "storyboard.jpg#xywh=0,0,160,90"
    assert cues[13].text == "storyboard.jpg#xywh=480,90,160,90"
    assert cues[49].text == "storyboard.jpg#xywh=1440,360,160,90"


def test_a_short_or_oblong_video() -> None:
    assert Storyboard.of(replace(SOURCE, frames=3), POLICY).tiles == 3
    assert Storyboard.of(replace(SOURCE, width=100, height=2000), POLICY).tile_height == 320
    assert Storyboard.of(replace(SOURCE, width=2000, height=100), POLICY).tile_height == 8
