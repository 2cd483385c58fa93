"""Key frames of a source at which chunks begin: such a chunk is decoded without the frames before it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from features.videos.timeline import Timeline

SEEK_MARGIN = Fraction(1, 2)
"""Seconds: demuxers seek by decoding times, which are earlier than the times at which frames are shown."""

_NEAR = Fraction(1, 4)
"""Frames: a source's frame that is shown nearer than half a frame to one of the stream becomes that one."""


def key_frames_of_chunks(times: Sequence[Fraction], timeline: Timeline) -> tuple[tuple[int, Fraction], ...]:
    """Returns the chunks, but the first, that begin with a key frame of the source: the number of their first frame,
    and when the key frame is shown. `times` are those of all key frames, ascending, in seconds from the beginning of
    the stream. One is left out if another follows within the margin: a demuxer might go there."""
    starts, last = {chunk.first for chunk in timeline.chunks()[1:]}, times[-1:]
    alone = [one for one, following in pairwise(times) if following - one > SEEK_MARGIN]
    found = list[tuple[int, Fraction]]()
    for time in (*alone, *last):
        frame = round(time * timeline.frame_rate)
        if frame in starts and abs(time * timeline.frame_rate - frame) <= _NEAR:
            found.append((frame, time))
    return tuple(found)
