"""Where a stream is cut, in numbers of frames.

All rungs of a video are cut at the same frames. A GOP begins with a key frame and refers to nothing before it; segments
are what players load; chunks are what workers encode. Frame n of the stream is shown n / frame_rate seconds after its
beginning.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from features.videos.model import Chunk, Source
from features.videos.policy import VideoPolicy

_MIN_TIMESCALE = 10_000


@dataclass(frozen=True, slots=True)
class Timeline:
    """The frames of a stream and where they are cut."""

    frame_rate: Fraction
    frames: int
    gop_frames: int
    segment_frames: int
    chunk_frames: int

    @classmethod
    def of(cls, source: Source, policy: VideoPolicy) -> Timeline:
        """Returns the timeline of a video."""
        gop = max(1, round(policy.gop * source.frame_rate))
        segment = gop * policy.gops_per_segment
        return cls(source.frame_rate, source.frames, gop, segment, segment * policy.segments_per_chunk)

    def chunks(self) -> tuple[Chunk, ...]:
        """Returns the chunks in order: whole numbers of segments, and a last one that may be shorter. What is left over
        and shorter than a GOP belongs to the last chunk."""
        starts = list(range(0, self.frames, self.chunk_frames))
        if len(starts) > 1 and self.frames - starts[-1] < self.gop_frames:
            starts.pop()
        return tuple(Chunk(first, end) for first, end in zip(starts, [*starts[1:], self.frames], strict=True))

    def seconds(self, frame: int) -> Fraction:
        """Returns when a frame is shown."""
        return frame / self.frame_rate

    @property
    def timescale(self) -> int:
        """Ticks a second in which time stamps are written, so that each frame lasts a whole number of them."""
        return self.frame_rate.numerator * -(-_MIN_TIMESCALE // self.frame_rate.numerator)

    @property
    def ticks_per_frame(self) -> int:
        return int(self.timescale / self.frame_rate)
