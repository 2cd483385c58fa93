"""The GroupContext: the public parameters all members agree on in an epoch (RFC 9420 section 8.1)."""

from dataclasses import dataclass
from functools import cached_property

from crypto.errors import DecodeError
from crypto.mls.capabilities import MLS10
from crypto.mls.cipher_suite import CipherSuite, suite_crypto
from crypto.mls.codec import Reader, opaque, u16, u64
from crypto.mls.extensions import Extensions, decode_extensions, encode_extensions


@dataclass(frozen=True)
class GroupContext:
    """One epoch of one group. Hashes have the suite's hash size; the transcript hash of epoch 0 is empty."""

    cipher_suite: CipherSuite
    group_id: bytes
    epoch: int
    tree_hash: bytes
    confirmed_transcript_hash: bytes
    extensions: Extensions

    @cached_property
    def encoded(self) -> bytes:
        return b"".join(
            (
                u16(MLS10),
                u16(self.cipher_suite),
                opaque(self.group_id),
                u64(self.epoch),
                opaque(self.tree_hash),
                opaque(self.confirmed_transcript_hash),
                encode_extensions(self.extensions),
            )
        )

    @classmethod
    def decode(cls, reader: Reader) -> "GroupContext":
        if reader.u16() != MLS10:
            raise DecodeError("unsupported protocol version")
        return cls(
            decode_cipher_suite(reader),
            reader.opaque(),
            reader.u64(),
            reader.opaque(),
            reader.opaque(),
            decode_extensions(reader),
        )

    def has_valid_sizes(self) -> bool:
        """Whether both hashes have the suite's length: the transcript is hashed on without a length of its own."""
        hash_size = suite_crypto(self.cipher_suite).hash_size
        transcript_size = hash_size if self.epoch else 0
        return (len(self.tree_hash), len(self.confirmed_transcript_hash)) == (hash_size, transcript_size)


def decode_cipher_suite(reader: Reader) -> CipherSuite:
    """A suite of a group; one that is not supported is a DecodeError."""
    value = reader.u16()
    if value not in tuple(CipherSuite):
        raise DecodeError("unsupported cipher suite")
    return CipherSuite(value)
