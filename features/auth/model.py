"""The data of sign-ups, sign-in sessions and the audit log."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from features.auth.errors import LockedOut
from features.paging import Cursor


@dataclass(frozen=True, slots=True)
class SignUp:
    """A claim to an e-mail address that is not confirmed yet."""

    id: UUID
    email: str
    username: str
    name: str
    password_hash: str
    created_at: datetime
    requested_at: datetime
    """When the latest code was requested."""
    codes: int
    """How many codes were requested."""
    code_hash: bytes | None
    """None until the consumer has mailed a code."""
    code_expires_at: datetime | None
    attempts: int
    """Wrong codes since the latest one was mailed."""


@dataclass(frozen=True, slots=True)
class MailCounts:
    """How many codes of unconfirmed sign-ups went out, within the lifetime of one: to an e-mail address, those of them
    that a network address caused, and to all e-mail addresses because of that."""

    to_email: int
    by_requester_to_email: int
    by_requester: int
    requester_since: datetime | None
    """When the first of the last ones was requested."""


@dataclass(frozen=True, slots=True)
class LogInAttempt:
    """A counted log-in attempt. `number` counts those since the last success within the policy's window;
    `locked_until` is set from the attempt on that reaches `limit`."""

    number: int
    locked_until: datetime | None
    limit: int

    def require_allowed(self, now: datetime) -> None:
        """Raises LockedOut if there were too many attempts before this one."""
        if self.number > self.limit and self.locked_until is not None:
            raise LockedOut.until(self.locked_until, now)


@dataclass(frozen=True, slots=True)
class Session:
    """A sign-in session: one device of an account. Its refresh tokens are one family."""

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
    """A stored refresh token, and whether the token it was exchanged for has been used."""

    hash: bytes
    session_id: UUID
    used_at: datetime | None
    successor: bytes | None
    successor_used: bool

    def may_be_retried(self, now: datetime, grace: timedelta) -> bool:
        """Returns whether using it again can be the retry of a lost response: soon after its use, and its successor has
        not been used."""
        return (
            self.used_at is not None
            and now - self.used_at <= grace
            and self.successor is not None
            and not self.successor_used
        )


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens that a device receives when it logs in or refreshes."""

    account_id: UUID
    session_id: UUID
    access_token: str
    access_token_lifetime: timedelta
    refresh_token: str
    refresh_token_expires_at: datetime


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The tokens of a new session, and the one by which the device is known at its next log-in."""

    tokens: Tokens
    device_token: str


class AuditKind(StrEnum):
    """The kinds of audit entries."""

    SIGNED_UP = "signed_up"
    LOGGED_IN = "logged_in"
    LOG_IN_FAILED = "log_in_failed"
    LOCKED_OUT = "locked_out"
    LOGGED_OUT = "logged_out"
    SESSION_REVOKED = "session_revoked"
    REFRESH_TOKEN_REUSED = "refresh_token_reused"  # noqa: S105 - not a password
    PASSWORD_REFUSED = "password_refused"  # noqa: S105 - not a password
    """A wrong password where a signed-in caller had to repeat it."""
    DEACTIVATED = "deactivated"
    DELETION_REQUESTED = "deletion_requested"
    REACTIVATED = "reactivated"
    """By a log-in, which ends a deactivation and takes a requested deletion back."""
    SUSPENDED = "suspended"
    SUSPENSION_ENDED = "suspension_ended"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """An entry of an account's audit log."""

    id: UUID
    kind: AuditKind
    session_id: UUID | None
    device: str
    happened_at: datetime

    def cursor(self) -> Cursor:
        return Cursor(self.happened_at, self.id)
