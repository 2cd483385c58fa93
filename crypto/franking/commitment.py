"""The sender's commitment to a message (Grubbs, Lu, Ristenpart: "Message Franking via Committing Authenticated
Encryption", CRYPTO 2017, §3, as CtE2 with HMAC).

The commitment travels beside the ciphertext and tells the server nothing; the opening travels inside it.
HMAC-SHA-256 under a random key of fixed length is both hiding and binding: no one finds two messages for one
commitment. AES-GCM alone does not bind, which is why this exists.
"""

import hmac
from dataclasses import dataclass, field

from crypto import wire
from crypto.franking.errors import FrankingInvalid
from crypto.randomness import Randomness

OPENING_LENGTH = 32
COMMITMENT_LENGTH = 32

_VERSION = 1
_LABEL = b"Entativa franking 1 commitment"


def _commitment(opening: bytes, content: bytes) -> bytes:
    return hmac.digest(opening, _LABEL + content, "sha256")


@dataclass(frozen=True, slots=True)
class FrankedMessage:
    """What is encrypted in place of the bare content. ``opening``: 32 random bytes."""

    content: bytes = field(repr=False)
    opening: bytes = field(repr=False)

    def __post_init__(self) -> None:
        wire.require_length("an opening", self.opening, OPENING_LENGTH)

    @classmethod
    def frank(cls, content: bytes, randomness: Randomness) -> "FrankedMessage":
        """Prepare ``content``; ``commitment`` goes to the server with the ciphertext of ``encode()``."""
        return cls(content, randomness.random_bytes(OPENING_LENGTH))

    @property
    def commitment(self) -> bytes:
        """32 bytes for the server."""
        return _commitment(self.opening, self.content)

    def encode(self) -> bytes:
        """version(1) | opening(32) | content."""
        return wire.u8(_VERSION) + self.opening + self.content

    @classmethod
    def decode(cls, plaintext: bytes, commitment: bytes) -> "FrankedMessage":
        """What a receiver does with a decrypted message and the commitment that came beside it.

        Raises ``DecodeError``, or ``FrankingInvalid`` for a message that could not be reported: such a message
        must not be shown.
        """
        reader = wire.Reader(plaintext, "franked message")
        reader.format_version(_VERSION)
        opening = reader.take(OPENING_LENGTH)
        message = cls(reader.rest(), opening)
        if not hmac.compare_digest(message.commitment, commitment):
            raise FrankingInvalid("the commitment does not belong to the message")
        return message
