"""Which qualities a video is streamed in."""

from features.videos.model import Rung, Source
from features.videos.policy import VideoPolicy


def ladder(source: Source, policy: VideoPolicy) -> tuple[Rung, ...]:
    """Returns the rungs of a video from the smallest on: those of the policy that do not enlarge it. What is smaller
    than all of them gets one rung of its own size."""
    short = min(source.width, source.height)
    fitting = [quality for quality in policy.ladder if quality.short_side <= short]
    rungs = [
        Rung(
            f"{quality.short_side}p",
            *_size(source, quality.short_side),
            quality.crf,
            quality.max_rate,
            quality.preset,
        )
        for quality in fitting
    ]
    if not rungs:
        smallest = policy.ladder[0]
        rungs = [Rung(f"{short}p", *_size(source, short), smallest.crf, smallest.max_rate, smallest.preset)]
    return tuple(rungs)


def _size(source: Source, short_side: int) -> tuple[int, int]:
    """Returns width and height with this shorter side; both are even, which yuv420p needs."""
    short, long = sorted((source.width, source.height))
    sides = _even(short_side), _even(round(long * short_side / short))
    return (sides[1], sides[0]) if source.width >= source.height else sides


def _even(side: int) -> int:
    return max(2, side - side % 2)
