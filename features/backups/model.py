"""The data of backups."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

MAX_HEADER_BYTES = 16 * 1024
"""Several wrapped forms of the recovery key, and the sealed list of segments' digest."""
MAX_SEGMENT_BYTES = 512 * 1024
MAX_SEGMENTS = 4_096
DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a backup, by its SHA-256 (32 bytes). `size`: in bytes."""

    digest: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Backup:
    """The backup of an account, as the device that wrote it last has left it. `version` 0: there is none. `header` is
    opaque, and empty where there is none."""

    version: int = 0
    header: bytes = b""
    segments: tuple[Segment, ...] = ()
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """The bytes of an account's segments, and how many of them its backup does not name."""

    bytes: int
    unnamed: int


def object_key(object_id: UUID) -> str:
    """Returns the key of a segment in object storage. It names nobody, and is never used again."""
    return f"backups/{object_id.hex}"
