"""Which qualities a video is streamed in."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from features.videos.model import Rung, Source
from features.videos.policy import Quality, VideoPolicy

_WORTH_A_RUNG = Fraction(5, 4)
"""How much larger than the largest rung a video must be to get one of its own size, too: less is not seen."""


def ladder(source: Source, policy: VideoPolicy) -> tuple[Rung, ...]:
    """Returns the rungs of a video from the smallest on: those of the policy that do not enlarge it, and one of its own
    size where it lies well between two of them, or below all."""
    qualities = _qualities(min(source.width, source.height), policy.ladder)
    return tuple(
        Rung(
            f"{quality.short_side}p",
            *_size(source, quality.short_side),
            quality.crf,
            quality.max_rate,
            quality.preset,
        )
        for quality in qualities
    )


def _qualities(short: int, offered: Sequence[Quality]) -> list[Quality]:
    fitting = [quality for quality in offered if quality.short_side <= short]
    larger = offered[len(fitting) :]
    if larger and (not fitting or short >= fitting[-1].short_side * _WORTH_A_RUNG):
        rate = larger[0].max_rate * short**2 // larger[0].short_side ** 2 if fitting else larger[0].max_rate
        fitting.append(replace(larger[0], short_side=short, max_rate=rate))
    return fitting


def _size(source: Source, short_side: int) -> tuple[int, int]:
    """Returns width and height with this shorter side; both are even, which yuv420p needs."""
    short, long = sorted((source.width, source.height))
    sides = _even(short_side), _even(round(long * short_side / short))
    return (sides[1], sides[0]) if source.width >= source.height else sides


def _even(side: int) -> int:
    return max(2, side - side % 2)
