"""The interface of the timelines in memory."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from features.feed.machine import Entry, Key, TimelinePage
from features.ports import Port


class FeedsUnavailable(Exception):
    """The timelines could not be reached, or not in time."""


class TimelineFailed(Exception):
    """A timeline was reached and failed."""


@dataclass(frozen=True, slots=True)
class AuthorRead:
    """A page of an author's own timeline to be read: posts older than `after`, of these audiences (bits) only."""

    author: bytes
    after: Key | None
    audiences: int


class Feeds(Protocol):
    """The timelines of readers, and those of high-fan-out authors. Ids are the 16 bytes of account ids. Methods that
    change timelines also raise TimelineFailed."""

    async def page(self, reader: bytes, after: Key | None, limit: int, *, times: bool = False) -> TimelinePage:
        """Returns a page of a reader's timeline, with the times of its posts if wanted; loads it from Postgres if
        necessary. Raises FeedsUnavailable."""

    async def author_pages(self, reads: Sequence[AuthorRead], limit: int) -> list[TimelinePage]:
        """Returns a page of up to `limit` own posts, with their times, of each of the authors. Raises
        FeedsUnavailable."""

    async def put(self, readers: Collection[bytes], entry: Entry) -> None:
        """Adds a post, or updates its audience. Raises FeedsUnavailable if not every timeline was reached."""

    async def put_at_once(self, reader: bytes, entry: Entry) -> None:
        """The same for one reader, but not if the timeline's host is out of reach: `put` waits until another has it.
        Raises FeedsUnavailable."""

    async def put_own(self, entry: Entry, *, high_fan_out: bool) -> bool:
        """Adds a post to the author's own timeline. Returns whether `announced` was called since the author has a high
        fan-out. Raises FeedsUnavailable."""

    async def announced(self, author: bytes) -> None:
        """Notes that all readers of a high-fan-out author have been told to merge. Raises FeedsUnavailable."""

    async def remove(self, readers: Collection[bytes], entry: Entry) -> None:
        """Removes a post, also from its author's own timeline. Raises FeedsUnavailable."""

    async def forget(self, readers: Collection[bytes]) -> None:
        """Drops timelines whose readers may now see other posts; the next read loads them. Raises FeedsUnavailable."""

    async def forget_author(self, readers: Collection[bytes], author: bytes) -> None:
        """Drops those of the timelines to which this author's posts belong. Raises FeedsUnavailable."""

    async def forget_own(self, author: bytes) -> None:
        """Drops an author's own timeline; the next read loads it. Raises FeedsUnavailable."""

    async def mark_high_fan_out(self, readers: Collection[bytes], author: bytes) -> None:
        """Tells readers' timelines to merge this author's posts, which are no longer delivered. Raises
        FeedsUnavailable."""


FEEDS: Port[Feeds] = Port("feeds")
