"""The verifiable map: a sparse Merkle tree over 256-bit indexes, and the proof of what stands at one of them.

An empty subtree is a constant, a subtree with a single leaf is that leaf, which carries its whole index, and all others
are nodes of two subtrees. The bits of an index, the most significant first, lead from the root down. Leaves, nodes and
the empty subtree are hashed under different prefixes, so no hash has two readings: an index is either present with one
commitment under a root, or absent.
"""

import hashlib
import hmac
from dataclasses import dataclass
from enum import IntEnum

from crypto import wire
from crypto.errors import DecodeError
from crypto.transparency.errors import ProofInvalid

INDEX_LENGTH = 32
HASH_LENGTH = 32
MAX_DEPTH = 8 * INDEX_LENGTH

_LABEL = b"Entativa map 1"
EMPTY = hashlib.sha256(_LABEL + b"\x02").digest()


def leaf_hash(index: bytes, commitment: bytes) -> bytes:
    """The hash of a leaf; ``index`` and ``commitment`` have 32 bytes."""
    return hashlib.sha256(_LABEL + b"\x00" + index + commitment).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees, 32 bytes each."""
    return hashlib.sha256(_LABEL + b"\x01" + left + right).digest()


def bit(index: bytes, depth: int) -> int:
    """Which way ``index`` goes at ``depth``: 0 left, 1 right."""
    return index[depth >> 3] >> (7 - (depth & 7)) & 1


class _End(IntEnum):
    """What the path of the index ends at."""

    EMPTY = 0
    OWN_LEAF = 1
    OTHER_LEAF = 2


@dataclass(frozen=True, slots=True)
class MapProof:
    """``siblings``: from the root down, 32 bytes each. ``other``: the leaf (index, commitment) that stands where the
    index would be, for an absent index.
    """

    present: bool
    siblings: tuple[bytes, ...]
    other: tuple[bytes, bytes] | None = None

    def __post_init__(self) -> None:
        for sibling in self.siblings:
            wire.require_length("a sibling", sibling, HASH_LENGTH)
        for part in self.other or ():
            wire.require_length("a leaf", part, HASH_LENGTH)
        if len(self.siblings) > MAX_DEPTH or (self.present and self.other is not None):
            raise DecodeError("map proof: impossible")

    def verify(self, root: bytes, index: bytes, commitment: bytes | None) -> None:
        """Check that ``index`` holds ``commitment`` (32 bytes), or nothing for None. Raises ``ProofInvalid``."""
        if len(root) != HASH_LENGTH or len(index) != INDEX_LENGTH:
            raise ProofInvalid("a root and an index have 32 bytes")
        if self.present != (commitment is not None):
            raise ProofInvalid("the proof is about presence where absence was claimed, or the reverse")
        if commitment is not None:
            if len(commitment) != HASH_LENGTH:
                raise ProofInvalid("a commitment has 32 bytes")
            hashed = leaf_hash(index, commitment)
        elif self.other is None:
            hashed = EMPTY
        else:
            hashed = leaf_hash(*self.other)
            there = self.other[0]
            if there == index or any(bit(there, depth) != bit(index, depth) for depth in range(len(self.siblings))):
                raise ProofInvalid("the other leaf does not stand in the way of the index")
        for depth in reversed(range(len(self.siblings))):
            pair = (hashed, self.siblings[depth])
            hashed = node_hash(*(pair[::-1] if bit(index, depth) else pair))
        if not hmac.compare_digest(hashed, root):
            raise ProofInvalid("the map proof does not lead to the root")

    def encode(self) -> bytes:
        """end(1) | [index(32) | commitment(32)] | count(2) | siblings."""
        end = _End.OWN_LEAF if self.present else _End.EMPTY if self.other is None else _End.OTHER_LEAF
        count = len(self.siblings).to_bytes(2, "big")
        return b"".join((wire.u8(end), *(self.other or ()), count, *self.siblings))

    @classmethod
    def read(cls, reader: wire.Reader) -> "MapProof":
        """The inverse of ``encode``; raises ``DecodeError``."""
        try:
            end = _End(reader.integer(1))
        except ValueError:
            raise DecodeError("map proof: unknown end") from None
        other = (reader.take(INDEX_LENGTH), reader.take(HASH_LENGTH)) if end is _End.OTHER_LEAF else None
        siblings = tuple(reader.take(HASH_LENGTH) for _ in range(reader.integer(2)))
        return cls(end is _End.OWN_LEAF, siblings, other)
