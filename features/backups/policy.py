"""What a brand can change about backups."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class BackupPolicy:
    max_bytes: int = 1024 * 1024 * 1024
    """Of an account's segments together, those included that the backup does not name yet."""
    unnamed_lifetime: timedelta = timedelta(days=1)
    """How long an uploaded segment is kept at least that no version of the backup names."""
