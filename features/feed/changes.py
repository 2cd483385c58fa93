"""News of posts that look different now, or are gone: a short Redis stream that every gateway reads along.

A gateway reads it in the round trip that admits a request, from where it read last, so what it shows to that request is
no older than the request: a post deleted before is not in it. What a gateway has missed (too many changes, Redis down)
makes it forget all the posts it keeps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from cluster.redis import Redis

KEPT_CHANGES = 100_000
READ_AT_ONCE = 1_000
"""More changes than this between two requests count as missed. The stream keeps far more, so none is lost unseen."""


@dataclass(frozen=True, slots=True)
class Change:
    """What changed: a post (`p`), an author's names (`a`), or a list that was deleted (`l`); and its 16 bytes of id."""

    kind: bytes
    id: bytes


def post_changed(post_id: UUID) -> Change:
    return Change(b"p", post_id.bytes)


def author_changed(account_id: UUID) -> Change:
    return Change(b"a", account_id.bytes)


def list_changed(list_id: UUID) -> Change:
    return Change(b"l", list_id.bytes)


class Changes:
    """The stream of one brand."""

    def __init__(self, redis: Redis, brand: str) -> None:
        self._redis = redis
        self.stream = f"{brand}:posts:changed"

    async def announce(self, change: Change) -> None:
        """After the commit. Raises RedisError."""
        await self._redis.xadd(self.stream, {change.kind: change.id}, maxlen=KEPT_CHANGES, approximate=True)


class Follower(Protocol):
    """What keeps posts: it hears of every change, or that it missed some."""

    def changed(self, change: Change) -> None:
        """Forget what this change concerns."""

    def missed(self) -> None:
        """Forget everything."""


News = Sequence[tuple[bytes, Sequence[bytes]]]
"""Entries of the stream, oldest first: the entry's id, and the kind and the id of each Change in turns."""


class ChangesReader:
    """One process' place in the stream."""

    def __init__(self, changes: Changes, follower: Follower) -> None:
        self.stream = changes.stream
        self._follower = follower
        self._last: bytes | None = None

    @property
    def current(self) -> bool:
        """Whether what is kept is up to date as of the last `take`."""
        return self._last is not None

    @property
    def last(self) -> bytes | None:
        """The id of the entry after which to read, READ_AT_ONCE of them; None: only the newest entry is wanted. Several
        readings may be under way at once."""
        return self._last

    def take(self, after: bytes | None, entries: News) -> None:
        """What was read; `after` is what `last` was before."""
        if after is None:
            if self._last is None:
                self._follower.missed()
                self._last = entries[0][0] if entries else b"0-0"
            return
        if len(entries) >= READ_AT_ONCE:
            self.lost()
        for _, fields in entries:
            for kind, id in zip(fields[::2], fields[1::2], strict=True):
                self._follower.changed(Change(kind, id))
        if entries and self._last == after:
            self._last = entries[-1][0]

    def lost(self) -> None:
        """The stream could not be read."""
        self._last = None
        self._follower.missed()
