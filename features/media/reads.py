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
        """Counts a read. Returns whether it is the last one of as many as the threshold says, and begins anew then."""
        count = self._counts.pop(media_id, 0) + 1
        if count >= self._threshold:
            return True
        self._counts[media_id] = count
        if len(self._counts) > _MOST_IMAGES:
            self._counts.popitem(last=False)
        return False
