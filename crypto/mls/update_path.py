"""The UpdatePath structure of a commit (RFC 9420 section 7.6)."""

from dataclasses import dataclass

from crypto.mls.codec import Reader, opaque, vector
from crypto.mls.hpke import Ciphertext
from crypto.mls.leaf_node import LeafNode


def encode_ciphertext(sealed: Ciphertext) -> bytes:
    """HPKECiphertext."""
    return opaque(sealed.kem_output) + opaque(sealed.ciphertext)


def decode_ciphertext(reader: Reader) -> Ciphertext:
    """HPKECiphertext."""
    return Ciphertext(reader.opaque(), reader.opaque())


@dataclass(frozen=True, slots=True)
class UpdatePathNode:
    """A new public key, and its path secret sealed to each node of the copath's resolution."""

    encryption_key: bytes
    encrypted_path_secret: tuple[Ciphertext, ...]

    def encode(self) -> bytes:
        return opaque(self.encryption_key) + vector(map(encode_ciphertext, self.encrypted_path_secret))

    @classmethod
    def decode(cls, reader: Reader) -> "UpdatePathNode":
        return cls(reader.opaque(), reader.vector(decode_ciphertext))


@dataclass(frozen=True, slots=True)
class UpdatePath:
    """The committer's new leaf, and the nodes of its filtered direct path from the bottom up."""

    leaf_node: LeafNode
    nodes: tuple[UpdatePathNode, ...]

    def encode(self) -> bytes:
        return self.leaf_node.encoded + vector(node.encode() for node in self.nodes)

    @classmethod
    def decode(cls, reader: Reader) -> "UpdatePath":
        return cls(LeafNode.decode(reader), reader.vector(UpdatePathNode.decode))
