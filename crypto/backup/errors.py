"""What can go wrong with a backup."""

from crypto.errors import CryptoError


class BackupError(CryptoError):
    """Base of the backup's errors."""


class WrongSecret(BackupError):
    """The passphrase, PIN or recovery key is not the one that the backup was made with."""


class ArchiveRejected(BackupError):
    """The archive was altered or cut, or belongs to another recovery key."""


class ArchiveRolledBack(BackupError):
    """The archive is authentic, but its store has a newer one: ask again, or another store."""


class GuessesExhausted(BackupError):
    """All guesses are used up and the key behind the PIN is gone for good."""


class StoreRolledBack(BackupError):
    """The guess limiter's state is older than its anchor: the store was restored from a copy. Nothing is answered."""


class ThresholdTooLow(BackupError):
    """The envelope needs fewer operators than this client accepts: its store may have made it."""


class NotEnoughAnswers(BackupError):
    """Fewer operators have answered than the envelope's threshold asks for."""


class NotEnoughMemory(BackupError):
    """This device lacks the memory that the blob's Argon2 parameters ask for. Another one may open it."""
