"""The log's side: an append-only Merkle tree that gives roots and proofs (RFC 6962 §2.1, §2.1.1, §2.1.2).

Appending costs O(1) amortised, a root or a proof O(log n).
"""

from collections.abc import Iterable

from crypto.transparency.hashing import HASH_LENGTH, leaf_hash, node_hash
from crypto.transparency.merkle_paths import consistency_ranges, inclusion_ranges, range_hash, subtrees


class MerkleTree:
    """Holds the hashes of all complete subtrees: about 64 bytes an entry."""

    __slots__ = ("_levels",)

    def __init__(self, leaf_hashes: Iterable[bytes] = ()) -> None:
        """``leaf_hashes``: of the entries so far, for a log that starts again from its records."""
        self._levels: list[list[bytes]] = [[]]
        for hashed in leaf_hashes:
            self.append_hash(hashed)

    @property
    def size(self) -> int:
        """The number of entries."""
        return len(self._levels[0])

    def append(self, entry: bytes) -> int:
        """Add an entry and return its index."""
        return self.append_hash(leaf_hash(entry))

    def append_hash(self, hashed: bytes) -> int:
        """Add an entry by its leaf hash (32 bytes) and return its index. Raises ``ValueError``."""
        if len(hashed) != HASH_LENGTH:
            raise ValueError("a leaf hash has 32 bytes")
        index = self.size
        self._levels[0].append(hashed)
        position, level = index, 0
        while position % 2:
            below = self._levels[level]
            level += 1
            if level == len(self._levels):
                self._levels.append([])
            self._levels[level].append(node_hash(below[position - 1], below[position]))
            position //= 2
        return index

    def root(self, size: int | None = None) -> bytes:
        """MTH(D[size]): the root of the first ``size`` entries, of all by default."""
        return self._hash(0, self._checked(size))

    def inclusion_proof(self, index: int, size: int | None = None) -> list[bytes]:
        """PATH(index, D[size]) of §2.1.1: the siblings from the leaf up. Raises ``ValueError``."""
        return [self._hash(*each) for each in inclusion_ranges(index, self._checked(size))]

    def consistency_proof(self, old_size: int, size: int | None = None) -> list[bytes]:
        """PROOF(old_size, D[size]) of §2.1.2. Raises ``ValueError``; 0 < old_size <= size."""
        return [self._hash(*each) for each in consistency_ranges(old_size, self._checked(size))]

    def _checked(self, size: int | None) -> int:
        size = self.size if size is None else size
        if not 0 <= size <= self.size:
            raise ValueError("the log has no such size")
        return size

    def _hash(self, start: int, end: int) -> bytes:
        return range_hash([self._levels[level][position] for level, position in subtrees(start, end)])
