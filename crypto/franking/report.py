"""The server's tag on a commitment, and a report that the server can check (same paper, §3 and §8).

The server tags each commitment it delivers together with what it knows itself: who sent it, to whom, where and when. It
keeps nothing. A receiver who reports shows the message; nobody can report what was not sent, or not to oneself.
"""

import hmac
from dataclasses import dataclass, field

from crypto import wire
from crypto.franking.commitment import COMMITMENT_LENGTH, OPENING_LENGTH, FrankedMessage
from crypto.franking.errors import FrankingInvalid

TAG_LENGTH = 32
SERVER_KEY_LENGTH = 32

_VERSION = 1
_LABEL = b"Entativa franking 1 server tag"
_MAX_ID = 256


@dataclass(frozen=True, slots=True)
class DeliveryContext:
    """What the server vouches for. Ids have at most 256 bytes in UTF-8; ``sent_at`` is in milliseconds."""

    conversation: str
    sender: str
    recipient: str
    sent_at: int

    def encode(self) -> bytes:
        """conversation block | sender block | recipient block | sent at(8)."""
        ids = self.conversation, self.sender, self.recipient
        return b"".join(wire.text(each, _MAX_ID) for each in ids) + wire.u64(self.sent_at)


def delivery_tag(server_key: bytes, commitment: bytes, context: DeliveryContext) -> bytes:
    """The tag (32 bytes) that is delivered with a message. ``server_key``: 32 secret bytes.

    Raises ``DecodeError`` for a commitment or a key of another length.
    """
    wire.require_length("a commitment", commitment, COMMITMENT_LENGTH)
    wire.require_length("a server key", server_key, SERVER_KEY_LENGTH)
    return hmac.digest(server_key, _LABEL + wire.block(commitment) + context.encode(), "sha256")


@dataclass(frozen=True, slots=True)
class Report:
    """What a receiver hands to the moderators: the message, its commitment, and the server's tag."""

    context: DeliveryContext
    commitment: bytes
    tag: bytes
    message: FrankedMessage = field(repr=False)

    def __post_init__(self) -> None:
        wire.require_length("a commitment", self.commitment, COMMITMENT_LENGTH)
        wire.require_length("a tag", self.tag, TAG_LENGTH)

    def verify(self, server_key: bytes) -> bytes:
        """The content, now known to be what ``context.sender`` sent. Raises ``FrankingInvalid``."""
        tag_fits = hmac.compare_digest(delivery_tag(server_key, self.commitment, self.context), self.tag)
        message_fits = hmac.compare_digest(self.message.commitment, self.commitment)
        if not (tag_fits and message_fits):
            raise FrankingInvalid("the report is not about a message that was delivered")
        return self.message.content

    def encode(self) -> bytes:
        """version(1) | conversation, sender, recipient, sent at | commitment(32) | tag(32) | opening(32) | content."""
        return b"".join(
            (
                wire.u8(_VERSION),
                self.context.encode(),
                self.commitment,
                self.tag,
                self.message.opening,
                self.message.content,
            )
        )

    @classmethod
    def decode(cls, data: bytes) -> "Report":
        """The inverse of ``encode``; raises ``DecodeError``."""
        reader = wire.Reader(data, "report")
        reader.format_version(_VERSION)
        conversation, sender, recipient = (reader.text(_MAX_ID) for _ in range(3))
        context = DeliveryContext(conversation, sender, recipient, reader.integer(8))
        commitment, tag = reader.take(COMMITMENT_LENGTH), reader.take(TAG_LENGTH)
        opening = reader.take(OPENING_LENGTH)
        return cls(context, commitment, tag, FrankedMessage(reader.rest(), opening))
