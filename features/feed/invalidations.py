"""Invalidations of what gateways cache of posts: a short Redis stream that every gateway follows.

A gateway reads the stream in the round trip that admits a request, from its last position, so what it shows to that
request is no older than the request: a post deleted before is not shown. A gateway that has missed invalidations (too
many at once, Redis down) clears its cache.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from cluster.redis import Redis

MAX_STREAM_LENGTH = 100_000
MAX_READ = 1_000
"""More invalidations than this between two requests count as missed. The stream keeps far more, so none is lost
unnoticed."""


@dataclass(frozen=True, slots=True)
class Invalidation:
    """What is out of date: a post (`p`), posts that show an author's names (`a`), or posts to a deleted list (`l`),
    the keys of an author's own timeline (`t`), what a reader has reposted, saved or voted in (`r`), or the results of a
    post's poll (`v`); and the 16 bytes of its id."""

    kind: bytes
    id: bytes


def post_invalidation(post_id: UUID) -> Invalidation:
    return Invalidation(b"p", post_id.bytes)


def author_invalidation(account_id: UUID) -> Invalidation:
    return Invalidation(b"a", account_id.bytes)


def list_invalidation(list_id: UUID) -> Invalidation:
    return Invalidation(b"l", list_id.bytes)


def timeline_invalidation(author: bytes) -> Invalidation:
    return Invalidation(b"t", author)


def marks_invalidation(reader_id: UUID) -> Invalidation:
    return Invalidation(b"r", reader_id.bytes)


def poll_invalidation(post_id: UUID) -> Invalidation:
    return Invalidation(b"v", post_id.bytes)


class InvalidationStream:
    """The stream of one brand."""

    def __init__(self, redis: Redis, brand: str) -> None:
        self._redis = redis
        self.stream = f"{brand}:posts:changed"

    async def publish(self, invalidation: Invalidation) -> None:
        """Appends an invalidation. Call it after the commit. Raises RedisError."""
        await self._redis.xadd(
            self.stream, {invalidation.kind: invalidation.id}, maxlen=MAX_STREAM_LENGTH, approximate=True
        )


class Invalidated(Protocol):
    """A cache that follows the stream. It ignores kinds that are not its own."""

    def invalidate(self, invalidation: Invalidation) -> None:
        """Drops what the invalidation concerns."""

    def clear(self) -> None:
        """Drops everything."""


StreamEntries = Sequence[tuple[bytes, Sequence[bytes]]]
"""Entries of the stream, oldest first: the entry's id, and the kind and id of each invalidation in turn."""


class InvalidationReader:
    """The position of one process in the stream. Implements cluster.redis.StreamReader."""

    max_read = MAX_READ

    def __init__(self, stream: InvalidationStream, *caches: Invalidated) -> None:
        self.stream = stream.stream
        self._caches = caches
        self._last: bytes | None = None

    @property
    def current(self) -> bool:
        """Whether the caches are up to date as of the last `take`."""
        return self._last is not None

    @property
    def last(self) -> bytes | None:
        """The id of the entry after which to read up to `max_read` entries; None: read the newest entry only. Several
        reads may be in progress at once."""
        return self._last

    def take(self, after: bytes | None, entries: StreamEntries) -> None:
        """Applies what was read; `after` is what `last` was before the read."""
        if after is None:
            if self._last is None:
                self._clear()
                self._last = entries[0][0] if entries else b"0-0"
            return
        if len(entries) >= MAX_READ:
            self.lost()
        for _, fields in entries:
            for kind, id in zip(fields[::2], fields[1::2], strict=True):
                for cache in self._caches:
                    cache.invalidate(Invalidation(kind, id))
        if entries and self._last == after:
            self._last = entries[-1][0]

    def lost(self) -> None:
        """Clears the caches because the stream could not be read."""
        self._last = None
        self._clear()

    def _clear(self) -> None:
        for cache in self._caches:
            cache.clear()
