"""The tags with which messages are delivered, so that their recipients can report them (docs/messaging.md).

A tag says who has sent what is behind a commitment to whom, in which conversation and in which millisecond. It is made
where a message is delivered and never stored: whoever has the key can make it again.

A tag is the id of its key (4 bytes) and that of crypto.franking (32 bytes).
"""

import hmac
from dataclasses import dataclass, field
from typing import Self
from uuid import UUID

from crypto.envelope import Envelope
from crypto.errors import CryptoError
from crypto.franking import DeliveryContext, delivery_tag
from crypto.mls import inspect_message

KEY_ID_BYTES = 4
TAG_BYTES = KEY_ID_BYTES + 32
COMMITMENT_BYTES = 32
_KEY = b"entativa delivery tags v1\0"
_KEY_ID = b"entativa id of a key of delivery tags\0"


@dataclass(frozen=True, slots=True)
class Delivered:
    """A message as it was delivered. `seq`: its number, which is a time in microseconds since 1970."""

    conversation_id: UUID
    sender_id: UUID
    seq: int

    def to(self, recipient_id: UUID) -> DeliveryContext:
        """Returns what a tag for this recipient says."""
        return DeliveryContext(self.conversation_id.hex, self.sender_id.hex, recipient_id.hex, self.seq // 1_000)


@dataclass(frozen=True, slots=True)
class DeliveryTags:
    """Makes and checks tags with one key."""

    key: bytes = field(repr=False)
    key_id: bytes

    @classmethod
    def of_brand(cls, cluster_secret: bytes, brand: str) -> Self:
        """Returns those of a brand. Another secret is another key with another id."""
        key = hmac.digest(cluster_secret, _KEY + brand.encode(), "sha256")
        return cls(key, hmac.digest(key, _KEY_ID, "sha256")[:KEY_ID_BYTES])

    def tag(self, commitment: bytes | None, delivered: Delivered, recipient_id: UUID) -> bytes | None:
        """Returns the tag for a recipient; None without a commitment."""
        if commitment is None:
            return None
        return self.key_id + delivery_tag(self.key, commitment, delivered.to(recipient_id))

    def knows(self, tag: bytes) -> bool:
        """Returns whether a tag names this key."""
        return tag[:KEY_ID_BYTES] == self.key_id

    def fits(self, tag: bytes, commitment: bytes, delivered: Delivered, recipient_id: UUID) -> bool:
        """Returns whether a tag was made with this key for this message and recipient."""
        expected = self.tag(commitment, delivered, recipient_id)
        return expected is not None and hmac.compare_digest(expected, tag)


def commitment_of_envelope(envelope: bytes) -> bytes | None:
    """Returns the commitment that goes with a message for one device; None: it is no envelope, and cannot be read."""
    try:
        return Envelope.decode(envelope).commitment
    except CryptoError:
        return None


def commitment_of_group_message(message: bytes) -> bytes | None:
    """Returns the commitment that goes with an application message to a group, as its authenticated data; None: there
    is none, and members do not show it."""
    try:
        data = inspect_message(message).authenticated_data
    except CryptoError:
        return None
    return data if len(data) == COMMITMENT_BYTES else None
