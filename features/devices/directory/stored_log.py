"""The log of epochs (crypto.transparency.MerkleTree) over stored nodes: which complete subtrees a root or a proof
needs, and which an appended entry completes. Pure functions."""

from collections.abc import Iterable, Mapping

from crypto.transparency import node_hash, range_hash, subtrees

Node = tuple[int, int]
"""Level and position of a complete subtree."""

Range = tuple[int, int]


def needed(ranges: Iterable[Range]) -> set[Node]:
    """Returns the nodes that the hashes of ranges of entries are made of."""
    return {node for start, end in ranges for node in subtrees(start, end)}


def hashes(ranges: Iterable[Range], nodes: Mapping[Node, bytes]) -> tuple[bytes, ...]:
    """Returns the hash of each range."""
    return tuple(range_hash([nodes[node] for node in subtrees(start, end)]) for start, end in ranges)


def before(size: int) -> set[Node]:
    """Returns the nodes that an entry after `size` others needs: those of the root before it."""
    return needed([(0, size)])


def appended(size: int, hashed: bytes, nodes: Mapping[Node, bytes]) -> dict[Node, bytes]:
    """Returns the subtrees that are complete once an entry with this leaf hash is appended to `size` others."""
    position, level = size, 0
    complete = {(0, position): hashed}
    while position % 2:
        hashed = node_hash(nodes[level, position - 1], hashed)
        position, level = position // 2, level + 1
        complete[level, position] = hashed
    return complete
