"""The verifiable map (crypto.directory.SparseTree) over stored subtrees: proofs and changes from those that are on the
path of an index. Pure functions.

A subtree is stored under its prefix: the depth (2 bytes) and as many bits, the rest zero. Every change of one is
another row with the epoch of the change; none is deleted, since an index that is present stays so.
"""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass

from crypto.directory import MapProof
from crypto.directory.map_proof import EMPTY, bit, leaf_hash, node_hash

DEPTHS_AT_ONCE = 32
_MAX_DEPTH = 256
"""Of the leaves of indexes that agree in all bits but the last."""


@dataclass(frozen=True, slots=True)
class Subtree:
    """A subtree that is not empty. `leaf`: index and commitment, where it is a single leaf."""

    hash: bytes
    leaf: tuple[bytes, bytes] | None = None


Subtrees = Mapping[bytes, Subtree]
"""By prefix."""


def prefix(index: bytes, depth: int) -> bytes:
    """Returns the prefix of the subtree with an index at a depth."""
    whole, part = divmod(depth, 8)
    bits = index[:whole]
    if part:
        bits += bytes([index[whole] & (0xFF00 >> part) & 0xFF])
    return depth.to_bytes(2, "big") + bits


def sibling(index: bytes, depth: int) -> bytes:
    """Returns the prefix of the sibling of the subtree with an index at a depth, 1 or more."""
    flipped = bytearray(index)
    flipped[(depth - 1) >> 3] ^= 1 << (7 - ((depth - 1) & 7))
    return prefix(bytes(flipped), depth)


def path(index: bytes, start: int) -> list[bytes]:
    """Returns the prefixes of subtrees with an index, and of their siblings, from a depth on."""
    depths = range(start, min(start + DEPTHS_AT_ONCE, _MAX_DEPTH + 1))
    return [prefix(index, depth) for depth in depths] + [sibling(index, depth) for depth in depths if depth]


def prefixes(index: bytes) -> list[bytes]:
    """Returns the prefixes of all subtrees that may have an index."""
    return [prefix(index, depth) for depth in range(_MAX_DEPTH + 1)]


def goes_on(found: Subtrees, index: bytes, start: int) -> bool:
    """Returns whether the path of an index goes on below the depths that begin at `start`."""
    last = start + DEPTHS_AT_ONCE - 1
    there = found.get(prefix(index, last)) if last <= _MAX_DEPTH else None
    return there is not None and there.leaf is None


def prove(found: Subtrees, index: bytes) -> MapProof:
    """Returns the proof of what stands at an index, from the subtrees on its path."""
    siblings: list[bytes] = []
    depth = 0
    while (subtree := found.get(prefix(index, depth))) is not None and subtree.leaf is None:
        depth += 1
        siblings.append(_hash(found, sibling(index, depth)))
    if subtree is None or subtree.leaf is None:
        return MapProof(False, tuple(siblings))
    if subtree.leaf[0] == index:
        return MapProof(True, tuple(siblings))
    return MapProof(False, tuple(siblings), subtree.leaf)


def put(found: MutableMapping[bytes, Subtree], index: bytes, commitment: bytes) -> dict[bytes, Subtree]:
    """Puts a commitment at an index, given the subtrees on its path. Returns those that changed, which are in `found`
    then, too."""
    changed: dict[bytes, Subtree] = {}

    def write(place: bytes, subtree: Subtree) -> None:
        found[place] = changed[place] = subtree

    depth = 0
    while (there := found.get(prefix(index, depth))) is not None and there.leaf is None:
        depth += 1
    if there is not None and there.leaf is not None and there.leaf[0] != index:
        while bit(index, depth) == bit(there.leaf[0], depth):
            depth += 1
        depth += 1
        write(prefix(there.leaf[0], depth), there)
    write(prefix(index, depth), Subtree(leaf_hash(index, commitment), (index, commitment)))
    while depth:
        pair = (found[prefix(index, depth)].hash, _hash(found, sibling(index, depth)))
        depth -= 1
        write(prefix(index, depth), Subtree(node_hash(*(pair[::-1] if bit(index, depth) else pair))))
    return changed


def root(found: Subtrees) -> bytes:
    """Returns the root of the map, 32 bytes."""
    return _hash(found, prefix(b"", 0))


def _hash(found: Subtrees, place: bytes) -> bytes:
    subtree = found.get(place)
    return EMPTY if subtree is None else subtree.hash
