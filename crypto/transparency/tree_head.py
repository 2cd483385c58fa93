"""Signed tree heads (RFC 6962 §3.5): the log's promise about all entries up to a size, signed with Ed25519."""

from dataclasses import dataclass
from typing import ClassVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from crypto import wire
from crypto.errors import DecodeError
from crypto.transparency.errors import ProofInvalid
from crypto.transparency.hashing import HASH_LENGTH

SIGNATURE_LENGTH = 64

_VERSION = 1
_TREE_HASH = 1  # §3.2 SignatureType: what kind of thing is signed


@dataclass(frozen=True, slots=True)
class TreeHead:
    """``timestamp``: milliseconds since the epoch. ``size``: entries. ``root``: 32 bytes."""

    timestamp: int
    size: int
    root: bytes

    def __post_init__(self) -> None:
        wire.require_length("a root", self.root, HASH_LENGTH)

    def encode(self) -> bytes:
        """What is signed: version(1) | signature type(1) | timestamp(8) | size(8) | root(32)."""
        return wire.u8(_VERSION) + wire.u8(_TREE_HASH) + wire.u64(self.timestamp) + wire.u64(self.size) + self.root


@dataclass(frozen=True, slots=True)
class SignedTreeHead:
    """A tree head with the log's signature (Ed25519, 64 bytes)."""

    LENGTH: ClassVar = 114

    head: TreeHead
    signature: bytes

    def __post_init__(self) -> None:
        wire.require_length("a signature", self.signature, SIGNATURE_LENGTH)

    @classmethod
    def sign(cls, head: TreeHead, log_key: bytes) -> "SignedTreeHead":
        """``log_key``: the log's Ed25519 seed, 32 bytes."""
        return cls(head, Ed25519PrivateKey.from_private_bytes(log_key).sign(head.encode()))

    def verify(self, log_public: bytes) -> None:
        """Raise ``ProofInvalid`` unless the log with this Ed25519 key (32 bytes) signed it."""
        try:
            Ed25519PublicKey.from_public_bytes(log_public).verify(self.signature, self.head.encode())
        except (InvalidSignature, ValueError):
            raise ProofInvalid("the tree head is not signed by the log") from None

    def encode(self) -> bytes:
        """The signed structure, then the signature: 114 bytes."""
        return self.head.encode() + self.signature

    @classmethod
    def decode(cls, data: bytes) -> "SignedTreeHead":
        """The inverse of ``encode``; raises ``DecodeError``."""
        reader = wire.Reader(data, "signed tree head")
        if reader.integer(1) != _VERSION or reader.integer(1) != _TREE_HASH:
            raise DecodeError("signed tree head: unknown version or type")
        head = TreeHead(reader.integer(8), reader.integer(8), reader.take(HASH_LENGTH))
        signature = reader.take(SIGNATURE_LENGTH)
        reader.finish()
        return cls(head, signature)
