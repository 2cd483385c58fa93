"""The directory's side of the map: an immutable sparse Merkle tree. A change shares all other nodes with its origin.

So the trees of many epochs stand beside each other in little more memory than one. A change costs O(log n) hashes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from crypto.directory.map_proof import EMPTY, INDEX_LENGTH, MapProof, bit, leaf_hash, node_hash


@dataclass(frozen=True, slots=True)
class _Leaf:
    hash: bytes
    index: bytes
    commitment: bytes


@dataclass(frozen=True, slots=True)
class _Node:
    hash: bytes
    left: "_Subtree"
    right: "_Subtree"


_Subtree = _Leaf | _Node | None


def _hash(subtree: _Subtree) -> bytes:
    return EMPTY if subtree is None else subtree.hash


def _leaf(index: bytes, commitment: bytes) -> _Leaf:
    return _Leaf(leaf_hash(index, commitment), index, commitment)


def _node(left: _Subtree, right: _Subtree) -> _Node:
    return _Node(node_hash(_hash(left), _hash(right)), left, right)


def _put(subtree: _Subtree, leaf: _Leaf, depth: int) -> _Leaf | _Node:
    if subtree is None or (isinstance(subtree, _Leaf) and subtree.index == leaf.index):
        return leaf
    goes_right = bit(leaf.index, depth)
    if isinstance(subtree, _Leaf):
        subtree = _Node(b"", None, subtree) if bit(subtree.index, depth) else _Node(b"", subtree, None)
    if goes_right:
        return _node(subtree.left, _put(subtree.right, leaf, depth + 1))
    return _node(_put(subtree.left, leaf, depth + 1), subtree.right)


def _build(leaves: list[tuple[bytes, bytes]], start: int, end: int, depth: int) -> _Subtree:
    """The subtree of the sorted ``leaves[start:end]``, which agree in their first ``depth`` bits."""
    if end - start < 2:
        return _leaf(*leaves[start]) if end > start else None
    low, high = start, end
    while low < high:  # the first leaf that goes right
        middle = (low + high) // 2
        if bit(leaves[middle][0], depth):
            high = middle
        else:
            low = middle + 1
    return _node(_build(leaves, start, low, depth + 1), _build(leaves, low, end, depth + 1))


class SparseTree:
    """A map of indexes (32 bytes) to commitments (32 bytes)."""

    __slots__ = ("_top",)

    def __init__(self, leaves: Mapping[bytes, bytes] | None = None) -> None:
        """Builds the tree of ``leaves``. Raises ``ValueError`` for a key or value of another length."""
        leaves = leaves or {}
        if any(len(part) != INDEX_LENGTH for leaf in leaves.items() for part in leaf):
            raise ValueError("indexes and commitments have 32 bytes")
        ordered = sorted(leaves.items())
        self._top = _build(ordered, 0, len(ordered), 0)

    @property
    def root(self) -> bytes:
        """32 bytes."""
        return _hash(self._top)

    def put(self, index: bytes, commitment: bytes) -> "SparseTree":
        """The tree with ``commitment`` at ``index``; this one stays as it is. Raises ``ValueError``."""
        if len(index) != INDEX_LENGTH or len(commitment) != INDEX_LENGTH:
            raise ValueError("indexes and commitments have 32 bytes")
        changed = SparseTree()
        changed._top = _put(self._top, _leaf(index, commitment), 0)
        return changed

    def prove(self, index: bytes) -> MapProof:
        """What stands at ``index``, present or absent."""
        subtree, siblings = self._top, list[bytes]()
        while isinstance(subtree, _Node):
            left, right = subtree.left, subtree.right
            subtree, sibling = (right, left) if bit(index, len(siblings)) else (left, right)
            siblings.append(_hash(sibling))
        if subtree is None:
            return MapProof(False, tuple(siblings))
        if subtree.index == index:
            return MapProof(True, tuple(siblings))
        return MapProof(False, tuple(siblings), (subtree.index, subtree.commitment))
