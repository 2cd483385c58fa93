"""Content, franked and padded: the plaintext that a session or a group encrypts.

version(1) | length(4) | franked content (see crypto.franking) | zeros up to the padded length (Padmé, at least 512).
The commitment covers the content and not the padding. It is made once a message, so all receivers report the same one.
"""

from dataclasses import dataclass, field

from crypto import wire
from crypto.attachments import padded_length
from crypto.envelope.content import MessageContent
from crypto.errors import DecodeError
from crypto.franking import FrankedMessage
from crypto.randomness import Randomness

FORMAT_VERSION = 1
_OVERHEAD = 5
_MAX_FRANKED = 1 << 18


@dataclass(frozen=True, slots=True)
class SealedContent:
    """``plaintext`` is to be encrypted; ``commitment`` (32 bytes) goes to the server beside the ciphertext."""

    plaintext: bytes = field(repr=False)
    commitment: bytes


@dataclass(frozen=True, slots=True)
class OpenedMessage:
    """A received message. ``franked`` is what a report shows to the moderators."""

    content: MessageContent
    franked: FrankedMessage = field(repr=False)


def seal(content: MessageContent, randomness: Randomness) -> SealedContent:
    """Frank and pad ``content``."""
    franked = FrankedMessage.frank(content.encode(), randomness)
    encoded = franked.encode()
    length = _OVERHEAD + len(encoded)
    padding = bytes(padded_length(length) - length)
    return SealedContent(wire.u8(FORMAT_VERSION) + wire.block(encoded) + padding, franked.commitment)


def open_content(plaintext: bytes, commitment: bytes) -> OpenedMessage:
    """What a receiver does with a decrypted plaintext and its envelope's commitment.

    Raises ``DecodeError``, ``UnsupportedStateVersion`` for a newer version, or ``FrankingInvalid`` for a message that
    could not be reported: neither may be shown.
    """
    reader = wire.Reader(plaintext, "sealed content")
    reader.state_version(FORMAT_VERSION)
    encoded = reader.block(_MAX_FRANKED)
    padding = reader.rest()
    if len(plaintext) != padded_length(_OVERHEAD + len(encoded)) or any(padding):
        raise DecodeError("sealed content: not padded as its length asks for")
    franked = FrankedMessage.decode(encoded, commitment)
    return OpenedMessage(MessageContent.decode(franked.content), franked)
