"""The data of messaging."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid5

from features.devices.model import DeviceAddress
from features.microseconds import time_of
from features.paging import Cursor
from features.profiles.model import Person

MAX_ENVELOPE_BYTES = 64 * 1024
MAX_EXPIRES_IN_S = 30 * 86_400
MAX_PAYLOADS = 64
"""Devices that one message of a pair can address."""
_PAIRS = UUID("6f1d7a52-9d0e-5c5b-8a52-4a3f0d0b6c11")
"""The namespace (RFC 9562, section 5.5) of the ids of pair conversations."""


class ConversationKind(StrEnum):
    PAIR = "pair"
    """Two accounts, with one encrypted session per pair of their devices."""
    GROUP = "group"
    """A group of accounts (features/groups)."""


class MemberState(StrEnum):
    """What a member has made of a conversation."""

    ACTIVE = "active"
    REQUESTED = "requested"
    """The other one has opened it and is no friend, nor followed: the member has neither accepted nor declined."""
    DECLINED = "declined"
    """The member is sent nothing. The other one does not learn of it."""


def pair_id(one: UUID, other: UUID) -> UUID:
    """Returns the id of the conversation of two accounts, the same in both orders."""
    return uuid5(_PAIRS, (min(one, other).bytes + max(one, other).bytes).hex())


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a message has for one device: ciphertext that only this device can read."""

    device: DeviceAddress
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message of a pair conversation as a client sends it. `expires_in_s`: how long it may wait for a device."""

    client_id: UUID
    envelopes: tuple[Envelope, ...]
    expires_in_s: int | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """A stored message: its number in the conversation, and when it was stored."""

    seq: int
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class MemberSettings:
    """What a member alone sets and sees."""

    muted_until: datetime | None = None
    archived: bool = False
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Membership:
    """A conversation as one of its members sees it."""

    conversation_id: UUID
    kind: ConversationKind
    state: MemberState
    other_id: UUID
    settings: MemberSettings
    joined_at: datetime

    def cursor(self) -> Cursor:
        return Cursor(self.joined_at, self.conversation_id)


@dataclass(frozen=True, slots=True)
class ConversationView:
    """A conversation as one of its members sees it, with the other one's names."""

    membership: Membership
    person: Person


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message in the inbox of a device."""

    conversation_id: UUID
    kind: ConversationKind
    other_id: UUID
    """The member of the pair that is not the device's account."""
    seq: int
    """Microseconds since 1970, or a little more: unique in its conversation, and increasing."""
    previous: int
    """The newest message before it in the conversation that is not the device's own; 0: not known."""
    sender: DeviceAddress
    client_id: UUID
    sent_at: datetime
    ciphertext: bytes
    delivery_tag: bytes | None = None
    """With which the reader can report it (features/delivery_tags.py)."""

    def cursor(self) -> Cursor:
        return Cursor(time_of(self.seq), self.conversation_id)


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """A device has stored every message of a conversation up to this number."""

    conversation_id: UUID
    seq: int
