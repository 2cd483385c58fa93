"""Encrypted backup: an archive under a random recovery key, and three ways to keep that key.

``wrap_with_passphrase`` (Argon2id), ``set_pin`` with the operators' ``GuessLimiter`` (threshold OPRF, ten guesses),
and ``wrap_with_legacy_passphrase`` (PBKDF2 over bcrypt). All of them give bytes; where these are stored (the
platform, a file, a cloud drive) is not this package's business, but a limiter and an envelope never share a store.
"""

from crypto.backup.archive import Archive, open_archive, seal_archive
from crypto.backup.argon2id import Argon2Parameters
from crypto.backup.errors import (
    ArchiveRejected,
    ArchiveRolledBack,
    BackupError,
    GuessesExhausted,
    NotEnoughAnswers,
    NotEnoughMemory,
    StoreRolledBack,
    ThresholdTooLow,
    WrongSecret,
)
from crypto.backup.guess_limiter import Answer, Enrolment, GuessLimiter
from crypto.backup.legacy_passphrase import unwrap_with_legacy_passphrase, wrap_with_legacy_passphrase
from crypto.backup.passphrase import unwrap_with_passphrase, wrap_with_passphrase
from crypto.backup.pin import PinAttempt, PinSetup, Recovered, set_pin
from crypto.backup.recovery_key import RecoveryKey
from crypto.backup.threshold import ONE_OPERATOR, TWO_OPERATORS, Shape, Share

__all__ = [
    "ONE_OPERATOR",
    "TWO_OPERATORS",
    "Answer",
    "Archive",
    "ArchiveRejected",
    "ArchiveRolledBack",
    "Argon2Parameters",
    "BackupError",
    "Enrolment",
    "GuessLimiter",
    "GuessesExhausted",
    "NotEnoughAnswers",
    "NotEnoughMemory",
    "PinAttempt",
    "PinSetup",
    "Recovered",
    "RecoveryKey",
    "Shape",
    "Share",
    "StoreRolledBack",
    "ThresholdTooLow",
    "WrongSecret",
    "open_archive",
    "seal_archive",
    "set_pin",
    "unwrap_with_legacy_passphrase",
    "unwrap_with_passphrase",
    "wrap_with_legacy_passphrase",
    "wrap_with_passphrase",
]
