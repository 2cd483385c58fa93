"""The data of a conversation's machine: devices, messages as they are sent, stored and remembered.

Accounts, sessions and client ids are their 16 bytes here. Times are in microseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

from features.messaging.model import MemberState


class Address(NamedTuple):
    """A device: its account and its number there."""

    account: bytes
    number: int


class Waiting(NamedTuple):
    """Ciphertext that waits for a device: of one conversation, and of all. `messages`, `bytes`."""

    messages: int = 0
    bytes: int = 0
    all_messages: int = 0
    all_bytes: int = 0


class Payload(NamedTuple):
    """Ciphertext for one device."""

    account: bytes
    number: int
    ciphertext: bytes


class Accepted(NamedTuple):
    """A message as it is remembered, so that its repetition is answered alike."""

    seq: int
    sender: Address
    client_id: bytes
    digest: bytes
    sent_at: int


class Position(NamedTuple):
    """Sender and number of a message."""

    sender: Address
    seq: int


class Basis(NamedTuple):
    """What a message was accepted on, to be compared with what is stored by the transaction that stores it."""

    session: bytes
    """The session that acts for the sending device."""
    other: bytes
    """The other member, from whom the sender is not apart."""
    devices: int
    """How many devices the members have, and the sum of their numbers: since numbers only increase, one of the two
    changes whenever devices come or go."""
    numbers: int


@dataclass(frozen=True, slots=True)
class Message:
    """A message to store and deliver. `previous`: for each payload, the newest message before that is not of its
    device, 0 if that is not known. `full`: devices that have no room for it."""

    accepted: Accepted
    payloads: tuple[Payload, ...]
    previous: tuple[int, ...]
    expires_at: int
    basis: Basis
    full: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """A message as a client sends it."""

    client_id: bytes
    payloads: tuple[Payload, ...]
    expires_in_s: int | None = None

    def digest(self) -> bytes:
        """Returns 16 bytes that tell the content from any other, in whatever order the payloads are."""
        hashed = blake2b(digest_size=16)
        hashed.update((-1 if self.expires_in_s is None else self.expires_in_s).to_bytes(8, "big", signed=True))
        for account, number, ciphertext in sorted(self.payloads):
            hashed.update(account + number.to_bytes(4, "big") + len(ciphertext).to_bytes(4, "big") + ciphertext)
        return hashed.digest()


@dataclass(frozen=True, slots=True)
class Stored:
    """What Postgres has of a conversation. `accepted` are messages of the time in which they are remembered, oldest
    first."""

    members: Mapping[bytes, MemberState]
    devices: Mapping[Address, bytes]
    """The session of each device of the members."""
    apart: bool
    accepted: Sequence[Accepted] = ()
    asked: int = 0
    """Messages to a member who has not accepted the conversation."""
    waiting: Mapping[Address, Waiting] | None = None
    """What waits for each device. None: it was not counted."""
