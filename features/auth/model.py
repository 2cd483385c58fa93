"""What accounts and sessions are made of."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from features.paging import Cursor


@dataclass(frozen=True, slots=True)
class SignUp:
    """A claim to an e-mail address that waits for its code."""

    id: UUID
    email: str
    username: str
    name: str
    password_hash: str
    created_at: datetime
    requested_at: datetime
    """When the latest code was asked for."""
    codes: int
    """How many codes were asked for."""
    code_hash: bytes | None
    """None until the consumer has mailed a code."""
    code_expires_at: datetime | None
    attempts: int
    """Wrong codes since the latest one was mailed."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who logs in."""

    id: UUID
    password_hash: str


@dataclass(frozen=True, slots=True)
class Session:
    """One device of an account. Its refresh tokens are one family."""

    id: UUID
    account_id: UUID
    device: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    ended_at: datetime | None

    def is_live(self, now: datetime) -> bool:
        return self.ended_at is None and self.expires_at > now

    def cursor(self) -> Cursor:
        return Cursor(self.created_at, self.id)


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A refresh token as it is stored, and what became of the token it was exchanged for."""

    hash: bytes
    session_id: UUID
    used_at: datetime | None
    successor: bytes | None
    successor_used: bool

    def may_be_retried(self, now: datetime, grace: timedelta) -> bool:
        """Whether presenting it again can be the honest retry of a lost answer: soon after its use, and nobody has
        used what it was exchanged for."""
        return (
            self.used_at is not None
            and now - self.used_at <= grace
            and self.successor is not None
            and not self.successor_used
        )


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a device gets when it signs in or refreshes."""

    account_id: UUID
    session_id: UUID
    access_token: str
    access_token_lifetime: timedelta
    refresh_token: str
    refresh_token_expires_at: datetime


class AuditKind(StrEnum):
    """What the audit log tells an account's owner."""

    SIGNED_UP = "signed_up"
    LOGGED_IN = "logged_in"
    LOG_IN_FAILED = "log_in_failed"
    LOCKED_OUT = "locked_out"
    LOGGED_OUT = "logged_out"
    SESSION_REVOKED = "session_revoked"
    REFRESH_TOKEN_REUSED = "refresh_token_reused"  # noqa: S105 - not a password


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the audit log."""

    id: UUID
    kind: AuditKind
    session_id: UUID | None
    device: str
    happened_at: datetime

    def cursor(self) -> Cursor:
        return Cursor(self.happened_at, self.id)
