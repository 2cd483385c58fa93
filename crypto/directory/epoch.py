"""An epoch of the directory: one root of its map. Epoch number i is entry i of an append-only log (RFC 6962)."""

from collections.abc import Sequence
from dataclasses import dataclass

from crypto import wire
from crypto.directory.map_proof import HASH_LENGTH
from crypto.transparency import ProofInvalid, SignedTreeHead, verify_inclusion

_VERSION = 1
_KIND = 2  # entries of kind 1 do not exist; an identity entry starts differently, too


@dataclass(frozen=True, slots=True)
class Epoch:
    """``number``: from 0. ``timestamp``: milliseconds since 1970, never less than the epoch's before. ``root``: of the
    map, 32 bytes.
    """

    number: int
    timestamp: int
    root: bytes

    def __post_init__(self) -> None:
        wire.require_length("a root", self.root, HASH_LENGTH)

    def encode(self) -> bytes:
        """The log's entry: version(1) | kind(1) | number(8) | timestamp(8) | root(32)."""
        return wire.u8(_VERSION) + wire.u8(_KIND) + wire.u64(self.number) + wire.u64(self.timestamp) + self.root

    @classmethod
    def read(cls, reader: wire.Reader) -> "Epoch":
        """The inverse of ``encode``; raises ``DecodeError``."""
        reader.format_version(_VERSION)
        reader.format_version(_KIND)
        return cls(reader.integer(8), reader.integer(8), reader.take(HASH_LENGTH))

    def verify_in(self, head: SignedTreeHead, inclusion: Sequence[bytes]) -> None:
        """Check that this is entry ``number`` of the log under a verified ``head``. Raises ``ProofInvalid``."""
        verify_inclusion(self.encode(), self.number, head.head.size, head.head.root, inclusion)

    def verify_newest(self, head: SignedTreeHead, inclusion: Sequence[bytes]) -> None:
        """Check that this is the log's last entry under ``head``. Raises ``ProofInvalid``."""
        if self.number != head.head.size - 1:
            raise ProofInvalid("not the newest epoch")
        self.verify_in(head, inclusion)
