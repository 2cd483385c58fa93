"""Compares all stored counts of a brand with their rows."""

from collections.abc import Callable
from datetime import datetime

from features.stored_counts import WrongCount, batches
from tests.support.environment import Environment


async def compare_counts(
    environment: Environment, now: Callable[[], datetime] | None = None, *, limit: int = 200
) -> list[tuple[str, WrongCount]]:
    """Returns what is wrong, by the names of counts. With a clock, corrects it."""
    return [
        (counts.name, wrong)
        for feature in environment.brand.features
        for counts in feature.counts
        async for batch in batches(environment.platform.database, counts, now, limit=limit)
        for wrong in batch.wrong
    ]
