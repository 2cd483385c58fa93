"""Cursor paging. A cursor is an opaque text that says where the next page starts.

It encodes the sort key of the last item of a page, so that items added or removed meanwhile do not shift pages.
"""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar
from uuid import UUID

from features.errors import Invalid

T = TypeVar("T")

_LENGTH = 24
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class BadCursor(Invalid):
    """The cursor is not one that a page returned."""

    code = "bad_cursor"
    detail = "The cursor is not one of this list."
    field = "cursor"


def encode_position(at: int, id: bytes) -> str:
    """Returns 32 URL-safe characters: 8 bytes of microseconds since 1970, 16 bytes of id."""
    return base64.urlsafe_b64encode(_packed(at, id)).decode()


def _packed(at: int, id: bytes) -> bytes:
    return at.to_bytes(8, "big") + id


@dataclass(frozen=True, slots=True)
class Cursor:
    """The position after an item of a list sorted by time, then id (newest first)."""

    at: datetime
    id: UUID

    def encode(self) -> str:
        """Returns the text of the position."""
        return base64.urlsafe_b64encode(self.pack()).decode()

    def pack(self) -> bytes:
        """Returns the 24 bytes of the position."""
        return _packed((self.at - _EPOCH) // _MICROSECOND, self.id.bytes)

    @classmethod
    def decode(cls, text: str) -> "Cursor":
        """Decodes what `encode` returned. Raises BadCursor for anything else."""
        try:
            return cls.unpack(base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True))
        except (ValueError, OverflowError):
            raise BadCursor from None

    @classmethod
    def unpack(cls, packed: bytes) -> "Cursor":
        """Returns the position of what `pack` returned. Raises ValueError or OverflowError for anything else."""
        if len(packed) != _LENGTH:
            raise ValueError(f"{len(packed)} bytes are no position")
        return cls(_EPOCH + int.from_bytes(packed[:8], "big") * _MICROSECOND, UUID(bytes=packed[8:]))


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A requested page: at most `limit` items after `cursor`."""

    limit: int
    cursor: Cursor | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """The items of a page, and where the next page starts (None: this was the last)."""

    items: Sequence[T]
    next_cursor: str | None


def page_of(
    rows: Sequence[T], limit: int, cursor: Callable[[T], Cursor], encode: Callable[[Cursor], str] = Cursor.encode
) -> Page[T]:
    """Makes a page from up to `limit + 1` rows; the extra row only shows that there is another page."""
    items = rows[:limit]
    return Page(items, encode(cursor(items[-1])) if len(rows) > limit and items else None)
