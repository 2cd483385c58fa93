"""What a message says about an attachment, so that its receiver can fetch and read it."""

from dataclasses import dataclass, field

from crypto import wire

KEY_LENGTH = 32
DIGEST_LENGTH = 32

_VERSION = 1


@dataclass(frozen=True, slots=True)
class AttachmentPointer:
    """Travels inside an encrypted message.

    ``key``: 32 bytes, for this file alone. ``size``: of the ciphertext in bytes, which the server sees.
    ``digest``: SHA-256 of the ciphertext, so that all receivers of one pointer get one file.
    """

    key: bytes = field(repr=False)
    size: int
    digest: bytes

    def __post_init__(self) -> None:
        wire.require_length("an attachment key", self.key, KEY_LENGTH)
        wire.require_length("a digest", self.digest, DIGEST_LENGTH)

    def encode(self) -> bytes:
        """version(1) | key(32) | size(8) | digest(32)."""
        return wire.u8(_VERSION) + self.key + wire.u64(self.size) + self.digest

    @classmethod
    def decode(cls, data: bytes) -> "AttachmentPointer":
        """The inverse of ``encode``; raises ``DecodeError``."""
        reader = wire.Reader(data, "attachment pointer")
        reader.format_version(_VERSION)
        pointer = cls(reader.take(KEY_LENGTH), reader.integer(8), reader.take(DIGEST_LENGTH))
        reader.finish()
        return pointer
