"""Where a backup is kept: a header that says which segments it consists of, and the segments.

What is stored is sealed: no place learns more than sizes and times. A segment is named by the SHA-256 of its bytes, in
hexadecimal, and never changes; the header is replaced by compare-and-swap, since several devices write one backup.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Protocol


class BackupUnavailable(Exception):
    """The place does not answer, or refuses: the text says why. Nobody knows whether a write was carried out."""


class HeaderChanged(Exception):
    """Another device has written the backup since the header was read."""


class SegmentMissing(Exception):
    """The place does not have a segment: it is damaged, or another device has replaced the segment meanwhile."""


@dataclass(frozen=True, slots=True)
class StoredHeader:
    """`version`: by which the place knows this header again. `segments`: names, in order."""

    version: str
    content: bytes = field(repr=False)
    segments: tuple[str, ...]


class FileStore(Protocol):
    """One account's backup at one place. Every method raises BackupUnavailable."""

    async def header(self) -> StoredHeader | None:
        """The newest header, None if there is no backup."""

    async def replace(self, content: bytes, segments: tuple[str, ...], former: StoredHeader | None) -> None:
        """Writes a header in place of `former` (None: there is none), and deletes segments that `former` named and it
        does not. Others stay, since another device may be about to name them. All that it names were put before.
        Raises HeaderChanged."""

    async def put(self, name: str, data: bytes) -> None:
        """Stores a segment. One that is there already may be stored again."""

    async def get(self, name: str) -> bytes:
        """A segment's bytes, as they are there. Raises SegmentMissing."""

    async def delete(self) -> None:
        """Deletes the backup, if there is one."""


def name_of(data: bytes) -> str:
    """The name of a segment."""
    return hashlib.sha256(data).hexdigest()


def no_longer_named(former: StoredHeader | None, segments: tuple[str, ...]) -> list[str]:
    """Which segments of `former` a header does not name that follows it."""
    return [] if former is None else [name for name in former.segments if name not in set(segments)]
