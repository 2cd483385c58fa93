"""The data of a group's machine: devices, messages and changes as they are checked, stored and remembered.

Accounts, sessions and client ids are their 16 bytes here. Times are in microseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Address(NamedTuple):
    """A device: its account and its number there."""

    account: bytes
    number: int


class Accepted(NamedTuple):
    """A message as it is remembered, so that its repetition is answered alike. `epoch`: the group's after it."""

    seq: int
    sender: Address
    client_id: bytes
    digest: bytes
    sent_at: int
    epoch: int


class Position(NamedTuple):
    """Sender and number of a message."""

    sender: Address
    seq: int


class Newest(NamedTuple):
    """The last message, and the last one of another sender."""

    last: Position | None = None
    another: Position | None = None

    def before(self, device: Address) -> int:
        """Returns the newest of them that is not the device's own; 0 if there is none."""
        return next((message.seq for message in filter(None, self) if message.sender != device), 0)


@dataclass(frozen=True, slots=True)
class Draft:
    """An application message as a client sends it."""

    client_id: bytes
    digest: bytes
    epoch: int
    expires_in_s: int | None = None


@dataclass(frozen=True, slots=True)
class CheckedChange:
    """A proposal, or a commit (`commits`), that was checked against a version of the group.

    `added` are the devices that it adds, with their sessions, `removed` those that it removes, `joins` is the device
    that comes in by this very commit: it need not be in the group.
    """

    client_id: bytes
    digest: bytes
    version: int
    epoch: int
    commits: bool
    added: Mapping[Address, bytes]
    removed: Sequence[Address]
    joins: Address | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """What Postgres has of a group. `accepted` are messages of the time in which they are remembered, oldest first."""

    epoch: int
    version: int
    devices: Mapping[Address, bytes]
    """The session of each device in the group."""
    accepted: Sequence[Accepted] = ()
