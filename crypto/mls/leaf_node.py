"""Leaf nodes: a member's keys, credential and capabilities (RFC 9420 section 7.2)."""

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

from crypto.errors import DecodeError
from crypto.mls.capabilities import Capabilities
from crypto.mls.cipher_suite import SuiteCrypto
from crypto.mls.codec import Reader, opaque, u8, u32, u64
from crypto.mls.credentials import Credential, decode_credential
from crypto.mls.errors import InvalidInput
from crypto.mls.extensions import Extensions, decode_extensions, encode_extensions
from crypto.mls.signatures import SigningKey


class LeafNodeSource(IntEnum):
    """How a leaf node came into the tree."""

    KEY_PACKAGE = 1
    UPDATE = 2
    COMMIT = 3


@dataclass(frozen=True, slots=True)
class Lifetime:
    """Validity of a KeyPackage's leaf node: seconds since the Unix epoch, both ends included."""

    not_before: int
    not_after: int

    def encode(self) -> bytes:
        return u64(self.not_before) + u64(self.not_after)

    @classmethod
    def decode(cls, reader: Reader) -> "Lifetime":
        return cls(reader.u64(), reader.u64())

    def contains(self, now: int) -> bool:
        return self.not_before <= now <= self.not_after

    @property
    def duration(self) -> int:
        """Seconds from start to end; negative if they are in the wrong order."""
        return self.not_after - self.not_before


@dataclass(frozen=True)
class LeafNode:
    """One leaf of the ratchet tree.

    ``lifetime`` is set exactly when ``source`` is KEY_PACKAGE, ``parent_hash`` exactly when it is COMMIT.
    """

    encryption_key: bytes
    signature_key: bytes
    credential: Credential
    capabilities: Capabilities
    source: LeafNodeSource
    lifetime: Lifetime | None
    parent_hash: bytes | None
    extensions: Extensions
    signature: bytes

    @cached_property
    def content(self) -> bytes:
        """The encoding without the signature: the first part of LeafNodeTBS."""
        if self.source == LeafNodeSource.KEY_PACKAGE:
            if self.lifetime is None:
                raise InvalidInput("a leaf node from a KeyPackage needs a lifetime")
            bound = self.lifetime.encode()
        elif self.source == LeafNodeSource.COMMIT:
            if self.parent_hash is None:
                raise InvalidInput("a leaf node from a commit needs a parent hash")
            bound = opaque(self.parent_hash)
        else:
            bound = b""
        return b"".join(
            (
                opaque(self.encryption_key),
                opaque(self.signature_key),
                self.credential.encode(),
                self.capabilities.encode(),
                u8(self.source),
                bound,
                encode_extensions(self.extensions),
            )
        )

    @cached_property
    def encoded(self) -> bytes:
        """The encoding, computed once: trees of many members are hashed and sent again and again."""
        return self.content + opaque(self.signature)

    def encode(self) -> bytes:
        return self.encoded

    @classmethod
    def decode(cls, reader: Reader) -> "LeafNode":
        start = reader.position
        encryption_key, signature_key = reader.opaque(), reader.opaque()
        credential = decode_credential(reader)
        capabilities = Capabilities.decode(reader)
        source = reader.u8()
        lifetime = parent_hash = None
        if source == LeafNodeSource.KEY_PACKAGE:
            lifetime = Lifetime.decode(reader)
        elif source == LeafNodeSource.COMMIT:
            parent_hash = reader.opaque()
        elif source != LeafNodeSource.UPDATE:
            raise DecodeError("invalid leaf node source")
        extensions = decode_extensions(reader)
        content = reader.since(start)
        node = cls(
            encryption_key,
            signature_key,
            credential,
            capabilities,
            LeafNodeSource(source),
            lifetime,
            parent_hash,
            extensions,
            reader.opaque(),
        )
        # The encoding is canonical, so what was read is what content and encoded would compute.
        node.__dict__["content"] = content
        node.__dict__["encoded"] = reader.since(start)
        return node

    def to_be_signed(self, group_id: bytes, leaf_index: int) -> bytes:
        """LeafNodeTBS; the group and position count for leaves made inside of a group only."""
        if self.source == LeafNodeSource.KEY_PACKAGE:
            return self.content
        return self.content + opaque(group_id) + u32(leaf_index)

    def verify_signature(self, crypto: SuiteCrypto, group_id: bytes, leaf_index: int) -> None:
        """Raise InvalidSignature unless the member signed this leaf for this place."""
        crypto.verify_with_label(
            self.signature_key, "LeafNodeTBS", self.to_be_signed(group_id, leaf_index), self.signature
        )

    def signed(self, crypto: SuiteCrypto, signer: SigningKey, group_id: bytes = b"", leaf_index: int = 0) -> "LeafNode":
        """This leaf with ``signer``'s signature."""
        signature = crypto.sign_with_label(signer, "LeafNodeTBS", self.to_be_signed(group_id, leaf_index))
        return LeafNode(
            self.encryption_key,
            self.signature_key,
            self.credential,
            self.capabilities,
            self.source,
            self.lifetime,
            self.parent_hash,
            self.extensions,
            signature,
        )
