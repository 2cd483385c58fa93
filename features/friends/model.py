"""The data of friend requests."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from features.friends.machine import RequestState
from features.paging import Cursor
from features.profiles.model import Person


class Direction(StrEnum):
    """Who sent a request, as seen by one of the two."""

    INCOMING = "incoming"
    OUTGOING = "outgoing"


@dataclass(frozen=True, slots=True)
class FriendRequest:
    """A stored request. `refused_at` is None unless the recipient refused."""

    id: UUID
    sender_id: UUID
    recipient_id: UUID
    state: RequestState
    created_at: datetime
    refused_at: datetime | None

    def cursor(self) -> Cursor:
        return Cursor(self.created_at, self.id)


@dataclass(frozen=True, slots=True)
class PendingRequest:
    """A pending request, as one of the two sees it. A refused one looks the same to its sender."""

    id: UUID
    person: Person
    direction: Direction
    created_at: datetime


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """A request that is pending for one of the two, or was accepted."""

    request: PendingRequest
    accepted: bool


@dataclass(frozen=True, slots=True)
class SentRequest:
    """The result of sending a request: a pending request (perhaps an older one), or a friendship at once."""

    request: PendingRequest
    accepted: bool
    new: bool


@dataclass(frozen=True, slots=True)
class Friend:
    """A friend, and since when."""

    person: Person
    since: datetime
