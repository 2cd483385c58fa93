"""Encrypted backup: an archive under a random recovery key, and three ways to keep that key.

``wrap_with_passphrase`` (Argon2id), ``PinAttempt`` with the server's ``GuessLimiter`` (OPRF, ten guesses), and
``wrap_with_legacy_passphrase`` (PBKDF2 over bcrypt). All of them give bytes; where these are stored (the
platform, a file, a cloud drive) is not this package's business.
"""

from crypto.backup.archive import open_archive, seal_archive
from crypto.backup.argon2id import Argon2Parameters
from crypto.backup.errors import (
    ArchiveRejected,
    BackupError,
    GuessesExhausted,
    NotEnoughMemory,
    NotEnrolled,
    WrongSecret,
)
from crypto.backup.guess_limiter import GuessLimiter
from crypto.backup.legacy_passphrase import unwrap_with_legacy_passphrase, wrap_with_legacy_passphrase
from crypto.backup.passphrase import unwrap_with_passphrase, wrap_with_passphrase
from crypto.backup.pin import Enrolment, PinAttempt, Recovered
from crypto.backup.recovery_key import RecoveryKey

__all__ = [
    "ArchiveRejected",
    "Argon2Parameters",
    "BackupError",
    "Enrolment",
    "GuessLimiter",
    "GuessesExhausted",
    "NotEnoughMemory",
    "NotEnrolled",
    "PinAttempt",
    "Recovered",
    "RecoveryKey",
    "WrongSecret",
    "open_archive",
    "seal_archive",
    "unwrap_with_legacy_passphrase",
    "unwrap_with_passphrase",
    "wrap_with_legacy_passphrase",
    "wrap_with_passphrase",
]
