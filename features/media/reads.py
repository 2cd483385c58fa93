"""Counts how often images are read, in one process, to find those for which better files are worth their CPU time."""

from __future__ import annotations

from collections import OrderedDict
from uuid import UUID

_MOST_IMAGES = 10_000
"""Of those that were read last."""


class ReadCounts:
    """Reads of images by this process. Others count their own, and a restart forgets: what is read often gets there."""

    def __init__(self, threshold: int) -> None:
        self._threshold = threshold
        self._counts: OrderedDict[UUID, int] = OrderedDict()

    def add(self, media_id: UUID) -> bool:
        """Counts a read. Returns whether it is the last one of as many as the threshold says, or of twice, four times
        ... as many: an image that is too complex costs up to a minute of CPU time each time."""
        count = self._counts.pop(media_id, 0) + 1
        self._counts[media_id] = count
        if len(self._counts) > _MOST_IMAGES:
            self._counts.popitem(last=False)
        times, rest = divmod(count, self._threshold)
        return rest == 0 and times.bit_count() == 1
