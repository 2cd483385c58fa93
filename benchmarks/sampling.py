"""Repeats a measurement within a time budget, so that a slow peer bounds itself."""

from __future__ import annotations

import time
from collections.abc import Callable


def durations(action: Callable[[], object], most: int, budget_s: float) -> list[float]:
    """Seconds that each call of `action` took: at least one call, at most `most`, none begun after `budget_s`."""
    return measurements(lambda: timed(action), most, budget_s)


def measurements(measure: Callable[[], float], most: int, budget_s: float) -> list[float]:
    """Like `durations`, for an action that measures itself (set-up and transport excluded)."""
    end = time.perf_counter() + budget_s
    taken = [measure()]
    while len(taken) < most and time.perf_counter() < end:
        taken.append(measure())
    return taken


def timed(action: Callable[[], object]) -> float:
    """Seconds that one call took."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start
