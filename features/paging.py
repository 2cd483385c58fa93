"""Cursor paging: a cursor is an opaque text that says where the next page starts.

It encodes the sort key of the last item seen, so that items arriving or leaving meanwhile shift nothing.
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


@dataclass(frozen=True, slots=True)
class Cursor:
    """The position after an item that was sorted by time, then id (newest first)."""

    at: datetime
    id: UUID

    def encode(self) -> str:
        """32 URL-safe characters: 8 bytes of microseconds since 1970, 16 bytes of id."""
        micros = (self.at - _EPOCH) // _MICROSECOND
        return base64.urlsafe_b64encode(micros.to_bytes(8, "big") + self.id.bytes).decode()

    @classmethod
    def decode(cls, text: str) -> "Cursor":
        """Raises Invalid(field=cursor) for anything that `encode` did not make."""
        try:
            raw = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
            if len(raw) != _LENGTH:
                raise ValueError(text)
            at = _EPOCH + int.from_bytes(raw[:8], "big") * _MICROSECOND
        except (ValueError, OverflowError):
            raise Invalid("bad_cursor", "The cursor is not one that this list handed out.", field="cursor") from None
        return cls(at, UUID(bytes=raw[8:]))


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What the caller asked for: at most `limit` items after `cursor`."""

    limit: int
    cursor: Cursor | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items, and where the next page starts (None: this was the last)."""

    items: Sequence[T]
    next_cursor: str | None


def page_of(rows: Sequence[T], limit: int, cursor: Callable[[T], Cursor]) -> Page[T]:
    """Make a page from up to `limit + 1` rows: the extra row only proves that there is more."""
    items = rows[:limit]
    return Page(items, cursor(items[-1]).encode() if len(rows) > limit and items else None)
