"""The events of this slice."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from features.events import EventBody


@dataclass(frozen=True, slots=True)
class ConfirmationRequested(EventBody):
    """A code is to be mailed."""

    type: ClassVar[str] = "auth.confirmation_requested"
    key: ClassVar[str] = "sign_up_id"
    sign_up_id: UUID


@dataclass(frozen=True, slots=True)
class SignedUp(EventBody):
    """An account was created."""

    type: ClassVar[str] = "auth.signed_up"
    key: ClassVar[str] = "account_id"
    account_id: UUID


@dataclass(frozen=True, slots=True)
class SessionsEnded(EventBody):
    """Sign-in sessions of an account were ended."""

    type: ClassVar[str] = "auth.sessions_ended"
    key: ClassVar[str] = "account_id"
    account_id: UUID
    session_ids: tuple[UUID, ...]


EVENTS = (ConfirmationRequested, SignedUp, SessionsEnded)
