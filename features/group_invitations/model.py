"""The data of invitations to groups."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from features.group_invitations.machine import JoinState
from features.paging import Cursor
from features.profiles.model import Person


@dataclass(frozen=True, slots=True)
class GroupInvitation:
    """An invitation, as the owners and admins of its group see it. `uses`: how many people were let in by it, of
    `max_uses` at most."""

    id: UUID
    group_id: UUID
    account_id: UUID
    """Who has made it."""
    max_uses: int
    uses: int
    created_at: datetime
    expires_at: datetime

    def cursor(self) -> Cursor:
        return Cursor(self.created_at, self.id)


@dataclass(frozen=True, slots=True)
class NewInvitation:
    """An invitation that was made. Its token is known to whoever made it: only the digest is stored."""

    invitation: GroupInvitation
    token: str = field(repr=False)


class JoinDirection(StrEnum):
    """Whose a request to join is, as seen by the caller."""

    INCOMING = "incoming"
    OUTGOING = "outgoing"


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """A stored request to join a group, by an invitation."""

    id: UUID
    group_id: UUID
    account_id: UUID
    invitation_id: UUID
    state: JoinState
    asked_at: datetime
    expires_at: datetime

    def cursor(self) -> Cursor:
        return Cursor(self.asked_at, self.id)


@dataclass(frozen=True, slots=True)
class SeenJoinRequest:
    """A request as the caller sees it. `person`: who asks; None for the caller's own, of which only that it waits is
    known to the caller."""

    request: JoinRequest
    person: Person | None = None


@dataclass(frozen=True, slots=True)
class SentJoinRequest:
    """`new`: whether the caller was not waiting before."""

    request: JoinRequest
    new: bool
