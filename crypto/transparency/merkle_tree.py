"""The log's side: an append-only Merkle tree that gives roots and proofs (RFC 6962 §2.1, §2.1.1, §2.1.2).

Appending costs O(1) amortised, a root or a proof O(log n).
"""

from collections.abc import Iterable

from crypto.transparency.hashing import EMPTY_ROOT, HASH_LENGTH, leaf_hash, node_hash, split_point


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
        size = self.size if size is None else size
        self._check_size(size)
        return self._hash(0, size) if size else EMPTY_ROOT

    def inclusion_proof(self, index: int, size: int | None = None) -> list[bytes]:
        """PATH(index, D[size]) of §2.1.1: the siblings from the leaf up. Raises ``ValueError``."""
        size = self.size if size is None else size
        self._check_size(size)
        if not 0 <= index < size:
            raise ValueError("the entry is not in the tree")
        path: list[bytes] = []
        start, end = 0, size
        while end - start > 1:
            middle = start + split_point(end - start)
            if index < middle:
                path.append(self._hash(middle, end))
                end = middle
            else:
                path.append(self._hash(start, middle))
                start = middle
        return path[::-1]

    def consistency_proof(self, old_size: int, size: int | None = None) -> list[bytes]:
        """PROOF(old_size, D[size]) of §2.1.2. Raises ``ValueError``; 0 < old_size <= size."""
        size = self.size if size is None else size
        self._check_size(size)
        if not 0 < old_size <= size:
            raise ValueError("the old tree is not a part of the new one")
        path: list[bytes] = []
        start, end, complete = 0, size, True
        while old_size != end:
            middle = start + split_point(end - start)
            if old_size <= middle:
                path.append(self._hash(middle, end))
                end = middle
            else:
                path.append(self._hash(start, middle))
                start, complete = middle, False
        if not complete:
            path.append(self._hash(start, end))
        return path[::-1]

    def _check_size(self, size: int) -> None:
        if not 0 <= size <= self.size:
            raise ValueError("the log has no such size")

    def _hash(self, start: int, end: int) -> bytes:
        """MTH(D[start:end]); ``start`` is a multiple of the subtree's width, so complete parts are stored."""
        width = end - start
        if width & (width - 1) == 0:
            return self._levels[width.bit_length() - 1][start // width]
        middle = start + split_point(width)
        return node_hash(self._hash(start, middle), self._hash(middle, end))
