"""A segment as it is stored: its content sealed with the recovery key, under the hash of that as its name."""

from client.backup.errors import BackupDamaged, BackupTooNew
from client.backup.file_store import name_of
from crypto.backup import ArchiveRejected, RecoveryKey, open_archive, seal_archive
from crypto.errors import DecodeError, UnsupportedStateVersion
from crypto.randomness import Randomness


def seal_segment(key: RecoveryKey, content: bytes, number: int, randomness: Randomness) -> bytes:
    """`number`: of the backup's version that names it first."""
    return seal_archive(key, content, number, randomness)


def open_segment(key: RecoveryKey, name: str, data: bytes) -> bytes:
    """The content. Raises BackupDamaged or BackupTooNew."""
    if name_of(data) != name:
        raise BackupDamaged("a segment is another one than the backup names")
    try:
        return open_archive(key, data, min_number=0).content
    except UnsupportedStateVersion as error:
        raise BackupTooNew from error
    except (ArchiveRejected, DecodeError) as error:
        raise BackupDamaged("a segment cannot be opened") from error
