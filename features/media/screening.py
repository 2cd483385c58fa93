"""Compares pictures with a list of those that nobody may publish, before anybody sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from features.media.hash_index import Match
from features.media.hash_list import HashList, HashListUnavailable
from features.media.metrics import SCREENED
from features.media.pdq import PictureHash
from features.media.policy import MediaPolicy


@dataclass(frozen=True, slots=True)
class Screening:
    brand: str
    policy: MediaPolicy
    hash_list: HashList | None
    """None: the operator has none."""

    async def screen(self, hashes: Sequence[PictureHash]) -> Match | None:
        """Returns the match of the first of some pictures that has one. Without a list, none has: uploads go on, and
        the metric tells."""
        outcome, found = "clear", None
        try:
            for each in hashes:
                found = await self._screen_one(each)
                if found is not None:
                    outcome = "matched"
                    break
        except HashListUnavailable:
            outcome = "unchecked"
        SCREENED.labels(self.brand, outcome).inc()
        return found

    async def _screen_one(self, picture: PictureHash) -> Match | None:
        if self.hash_list is None:
            raise HashListUnavailable
        if picture.quality < self.policy.hash_quality:
            return None
        return await self.hash_list.nearest(picture, self.policy.hash_distance)
