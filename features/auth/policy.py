"""What a brand can change about accounts and sign-in sessions."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class AuthPolicy:
    """Lifetimes, limits and the cost of a password hash."""

    access_token_lifetime: timedelta = timedelta(minutes=15)
    refresh_token_lifetime: timedelta = timedelta(days=30)
    recent_log_in: timedelta = timedelta(minutes=15)
    """How young a session must be for what needs one that has just begun with the password."""
    max_sessions: int = 100
    """Of one account at a time: a log-in ends those that were used longest ago."""
    refresh_retry_grace: timedelta = timedelta(seconds=30)
    """How long a used refresh token may be used again because the response was lost
    (docs/decisions/session-revocation.md)."""

    password_min_length: int = 10
    password_max_length: int = 128
    hash_memory_kib: int = 19 * 1024
    hash_passes: int = 2
    """Argon2id with one lane: OWASP Password Storage Cheat Sheet, second configuration."""
    hashes_at_once: int = 2
    hashes_waiting: int = 64
    """Per replica; further requests are refused with a Retry-After."""

    code_lifetime: timedelta = timedelta(minutes=10)
    code_attempts: int = 5
    code_resend_after: timedelta = timedelta(seconds=60)
    codes_per_sign_up: int = 4
    sign_up_lifetime: timedelta = timedelta(days=1)
    mails_per_email: int = 10
    """Codes of sign-ups that are not confirmed, within one `sign_up_lifetime`, to one address."""
    mails_per_email_and_requester: int = 5
    """Of these, those of sign-ups from one network address."""
    mails_per_requester: int = 50
    """To all addresses, of sign-ups from one network address."""

    log_in_failures: int = 10
    """Of an account's log-ins from unknown devices; of one known device, apart from those."""
    log_in_failures_per_requester: int = 50
    """From one network address, at all accounts, from unknown devices."""
    log_in_failure_window: timedelta = timedelta(minutes=15)
    lock_out: timedelta = timedelta(minutes=15)
    device_token_lifetime: timedelta = timedelta(days=180)
    """How long a device stays known without a log-in."""
