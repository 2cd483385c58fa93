"""An index of hashes that finds the nearest one to a hash, among a million in less than a millisecond.

Multi-index hashing (Norouzi, Punjani, Fleet, "Fast search in Hamming space with multi-index hashing", 2012): of two
hashes that differ in at most 31 of 256 bits, at least one of their 16 parts of 16 bits differs in at most one bit. So
only hashes are compared that have such a part: 17 buckets of each of the 16 tables, some 4,000 of a million hashes.

It takes about 100 bytes of memory a hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.media.pdq import HASH_BYTES

MAX_DISTANCE = 31
"""Bits, up to which every near hash is found."""

_PARTS = 16
_BUCKETS = 1 << 16
_NEAR = np.array([0, *(1 << bit for bit in range(16))], np.uint16)
"""A part's value, and what differs from it in one bit, by exclusive or."""

_ONES = np.uint32(0x01010101)


@dataclass(frozen=True, slots=True)
class Match:
    """A hash of the list that is near."""

    entry: bytes
    distance: int
    """In bits."""


class HashIndex:
    """Hashes of HASH_BYTES bytes each; equal ones count once."""

    def __init__(self, hashes: Sequence[bytes]) -> None:
        joined = np.frombuffer(b"".join(sorted(set(hashes))), np.uint8).reshape(-1, HASH_BYTES)
        self._words: NDArray[np.uint64] = joined.view(np.uint64)
        parts = np.ascontiguousarray(joined.view(np.uint16).T)
        order = [np.argsort(part, kind="stable").astype(np.uint32) for part in parts]
        self._members: NDArray[np.uint32] = np.concatenate(order)
        """The hashes in the buckets, one table after the other."""
        sizes = np.stack([np.bincount(part, minlength=_BUCKETS) for part in parts])
        self._starts: NDArray[np.int64] = np.insert(np.cumsum(sizes), 0, 0)

    def __len__(self) -> int:
        return len(self._words)

    def nearest(self, value: bytes, distance: int) -> Match | None:
        """Returns the nearest hash that differs in at most so many bits, at most MAX_DISTANCE."""
        if distance > MAX_DISTANCE:
            raise ValueError(f"a distance of {distance}: this index finds those of up to {MAX_DISTANCE}")
        parts = np.frombuffer(value, np.uint16)
        buckets = (np.arange(_PARTS)[:, None] * _BUCKETS + (parts[:, None] ^ _NEAR)).ravel()
        starts = self._starts[buckets]
        sizes = self._starts[buckets + 1] - starts
        if not (total := int(sizes.sum())):
            return None
        offsets = np.repeat(starts - (np.cumsum(sizes) - sizes), sizes)
        found = self._members.take(offsets + np.arange(total))
        differing = np.bitwise_count(self._words.take(found, 0) ^ np.frombuffer(value, np.uint64))
        # The sum of four bytes, which is below 256, since one of the parts is near.
        distances = (differing.view(np.uint32).ravel() * _ONES) >> 24
        best = int(np.argmin(distances))
        if distances[best] > distance:
            return None
        return Match(self._words[found[best]].tobytes(), int(distances[best]))
