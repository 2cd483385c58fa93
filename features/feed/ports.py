"""What the feed needs from the timelines that live in memory, elsewhere."""

from collections.abc import Collection
from typing import Protocol

from features.feed.machine import EVERYTHING, Entry, Key, Page


class FeedsUnavailable(Exception):
    """The timelines cannot be reached, or not in time."""


class TimelineFailed(Exception):
    """A timeline was reached, and broke."""


class Feeds(Protocol):
    """Timelines by reader, and those of heavy authors. Ids are the 16 bytes of account ids. What changes timelines
    raises TimelineFailed, too."""

    async def page(self, reader: bytes, after: Key | None, limit: int) -> Page:
        """A page of a reader's timeline, which is loaded from Postgres first if need be. Raises FeedsUnavailable."""

    async def author_page(self, author: bytes, after: Key | None, limit: int, audiences: int = EVERYTHING) -> Page:
        """A page of one author's own posts. Raises FeedsUnavailable."""

    async def put(self, readers: Collection[bytes], entry: Entry) -> None:
        """A post is new or its audience changed. Raises FeedsUnavailable when not everybody was reached."""

    async def put_own(self, entry: Entry, *, heavy: bool) -> bool:
        """The same for the author's own timeline. Whether all readers know that it is to be merged in, as `announced`
        said since the author is heavy. Raises FeedsUnavailable."""

    async def announced(self, author: bytes) -> None:
        """All readers were told of `grown_heavy`. Raises FeedsUnavailable."""

    async def remove(self, readers: Collection[bytes], entry: Entry) -> None:
        """A post is gone, from its author's own timeline too. Raises FeedsUnavailable."""

    async def forget(self, readers: Collection[bytes]) -> None:
        """What these readers may see has changed: their timelines are loaded anew. Raises FeedsUnavailable."""

    async def grown_heavy(self, readers: Collection[bytes], author: bytes) -> None:
        """This author's posts are not delivered any more. Raises FeedsUnavailable."""
