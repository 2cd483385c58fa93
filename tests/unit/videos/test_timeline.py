"""Where streams are cut."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.videos.model import Chunk, Source
from features.videos.policy import VideoPolicy
from features.videos.probe import _RATES
from features.videos.timeline import Timeline

POLICY = VideoPolicy()
SOURCE = Source(0, 1, 1920, 1080, Fraction(0), Fraction(30), 300, False, False)


def timeline(frames: int, rate: Fraction = Fraction(30)) -> Timeline:
    return Timeline.of(replace(SOURCE, frames=frames, frame_rate=rate), POLICY)


def test_a_video_of_ten_seconds() -> None:
    assert timeline(300).chunks() == (Chunk(0, 240), Chunk(240, 300))
    assert (timeline(300).gop_frames, timeline(300).segment_frames) == (60, 120)


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (1, [1]),
        (240, [240]),
        (241, [241]),  # a frame alone would be a chunk of its own
        (299, [299]),
        (300, [240, 60]),
        (480, [240, 240]),
        (481, [240, 241]),
    ],
)
def test_what_is_shorter_than_a_gop_belongs_to_the_chunk_before(frames: int, expected: list[int]) -> None:
    assert [chunk.frames for chunk in timeline(frames).chunks()] == expected


@given(st.integers(1, 300_000), st.sampled_from(_RATES))
def test_chunks_have_every_frame_once_and_begin_with_segments(frames: int, rate: Fraction) -> None:
    found = timeline(frames, rate)
    chunks = found.chunks()
    assert chunks[0].first == 0
    assert chunks[-1].end == frames
    assert all(before.end == after.first for before, after in pairwise(chunks))
    assert all(chunk.first % found.segment_frames == 0 for chunk in chunks)
    assert all(0 < chunk.frames < found.chunk_frames + found.gop_frames for chunk in chunks)
    assert len(chunks) == 1 or chunks[-1].frames >= found.gop_frames


@given(st.integers(0, 300_000), st.sampled_from(_RATES))
def test_frames_are_at_whole_ticks_and_near_microseconds(frame: int, rate: Fraction) -> None:
    found = timeline(1, rate)
    assert found.timescale >= 10_000
    assert found.ticks_per_frame * rate == found.timescale
    # ffmpeg reads microseconds and finds the same frame again.
    assert round(Fraction(f"{float(found.seconds(frame)):.6f}") * rate) == frame


@given(st.sampled_from(_RATES))
def test_segments_last_about_four_seconds(rate: Fraction) -> None:
    assert abs(timeline(1, rate).segment_frames / rate - 4) < Fraction(1, 5)
