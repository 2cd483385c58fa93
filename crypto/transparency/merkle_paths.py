"""Which parts of a Merkle tree its roots and proofs consist of (RFC 6962 §2.1): for trees in memory, and for others.

A range of entries is (start, end); a complete subtree is (level, position): the entries from ``position << level`` on,
``1 << level`` of them.
"""

from collections.abc import Sequence

from crypto.transparency.hashing import EMPTY_ROOT, node_hash, split_point


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """PATH(index, D[size]) of §2.1.1: the ranges of the siblings, from the leaf up. Raises ``ValueError``."""
    if not 0 <= index < size:
        raise ValueError("the entry is not in the tree")
    ranges: list[tuple[int, int]] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + split_point(end - start)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return ranges[::-1]


def consistency_ranges(old_size: int, size: int) -> list[tuple[int, int]]:
    """PROOF(old_size, D[size]) of §2.1.2: the ranges of its hashes. Raises ``ValueError``; 0 < old_size <= size."""
    if not 0 < old_size <= size:
        raise ValueError("the old tree is not a part of the new one")
    ranges: list[tuple[int, int]] = []
    start, end, complete = 0, size, True
    while old_size != end:
        middle = start + split_point(end - start)
        if old_size <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start, complete = middle, False
    if not complete:
        ranges.append((start, end))
    return ranges[::-1]


def subtrees(start: int, end: int) -> list[tuple[int, int]]:
    """The complete subtrees of a range, from left to right. ``start`` is a multiple of the subtree's width."""
    found: list[tuple[int, int]] = []
    while start < end:
        level = (end - start).bit_length() - 1
        found.append((level, start >> level))
        start += 1 << level
    return found


def range_hash(hashes: Sequence[bytes]) -> bytes:
    """MTH of a range of entries from the hashes of its ``subtrees``, 32 bytes each."""
    if not hashes:
        return EMPTY_ROOT
    hashed = hashes[-1]
    for left in reversed(hashes[:-1]):
        hashed = node_hash(left, hashed)
    return hashed
