"""Calls to timeline entities through the runtime's router."""

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from actors.feeds.breaker import HostBreaker
from actors.feeds.entity import AUTHOR, KIND_NAME, page_from_wire
from actors.runtime import CallError, EntityFailed
from actors.runtime.transport.router import Router
from cluster.postgres import Database
from features.feed.machine import EVERYTHING, Entry, Key, TimelinePage
from features.feed.ports import AuthorRead, FeedsUnavailable, TimelineFailed

_READ_S = 0.5
"""A page that takes longer comes from Postgres."""
_WRITE_S = 5.0
_MAX_IN_FLIGHT = 2_000
"""Calls of one delivery in flight at once."""


class FeedCalls:
    """Implements features.feed.ports.Feeds."""

    def __init__(self, router: Router, clock: Callable[[], float] = time.monotonic) -> None:
        self._router = router
        self._clock = clock
        self._breaker = HostBreaker()

    async def page(self, reader: bytes, after: Key | None, limit: int, *, times: bool = False) -> TimelinePage:
        """See Feeds.page."""
        # Hosts of the version before know no times; most readers need none.
        asked = [EVERYTHING, True] if times else []
        return await self._page(reader.hex(), ["page", limit, after, *asked])

    async def author_pages(self, reads: Sequence[AuthorRead], limit: int) -> list[TimelinePage]:
        """See Feeds.author_pages."""
        pages = [
            self._page(AUTHOR + read.author.hex(), ["page", limit, read.after, read.audiences, True]) for read in reads
        ]
        return await asyncio.gather(*pages)

    async def put(self, readers: Collection[bytes], entry: Entry) -> None:
        """See Feeds.put."""
        await self._send(readers, ["put", *_wire(entry)])

    async def put_at_once(self, reader: bytes, entry: Entry) -> None:
        """See Feeds.put_at_once."""
        await self._call(reader.hex(), ["put", *_wire(entry)], patient=False)

    async def put_own(self, entry: Entry, *, high_fan_out: bool) -> bool:
        """See Feeds.put_own."""
        return bool(await self._call(AUTHOR + entry.author.hex(), ["put_own", high_fan_out, *_wire(entry)]))

    async def announced(self, author: bytes) -> None:
        """See Feeds.announced."""
        await self._call(AUTHOR + author.hex(), ["announced"])

    async def remove(self, readers: Collection[bytes], entry: Entry) -> None:
        """See Feeds.remove."""
        message = ["remove", entry.at, entry.id]
        await self._call(AUTHOR + entry.author.hex(), message)
        await self._send(readers, message)

    async def forget(self, readers: Collection[bytes]) -> None:
        """See Feeds.forget."""
        await self._send(readers, ["forget"])

    async def forget_author(self, readers: Collection[bytes], author: bytes) -> None:
        """See Feeds.forget_author."""
        await self._send(readers, ["forget_author", author])

    async def forget_own(self, author: bytes) -> None:
        """See Feeds.forget_own."""
        await self._call(AUTHOR + author.hex(), ["forget"])

    async def mark_high_fan_out(self, readers: Collection[bytes], author: bytes) -> None:
        """See Feeds.mark_high_fan_out."""
        await self._send(readers, ["mark_high_fan_out", author])

    async def _page(self, entity: str, message: list[Any]) -> TimelinePage:
        self._require_map()
        host = self._router.owner(KIND_NAME, entity)
        asked_at = self._clock()
        if not self._breaker.closed(host, asked_at):
            raise FeedsUnavailable(f"{host or 'no host'} does not respond")
        try:
            for _ in range(3):
                value = await self._router.call(KIND_NAME, entity, message, _READ_S, patient=False)
                self._breaker.answered(host, self._clock())
                if value is not None:
                    return page_from_wire(value)
        except CallError as error:
            if isinstance(error, EntityFailed):
                self._breaker.answered(host, self._clock())
            else:
                self._breaker.timed_out(host, asked_at, self._clock())
                self._breaker.keep(frozenset(self._router.view.hosts))
            raise FeedsUnavailable(f"{type(error).__name__}: {error}") from error
        raise FeedsUnavailable("the timeline is dropped faster than it is loaded")

    def _require_map(self) -> None:
        if not self._router.view.version:
            raise FeedsUnavailable("the runtime has not started")

    async def _call(self, entity: str, message: list[Any], *, patient: bool = True) -> Any:
        self._require_map()
        try:
            return await self._router.call(KIND_NAME, entity, message, _WRITE_S, patient=patient)
        except CallError as error:
            raise _translated(error) from error

    async def _send(self, readers: Iterable[bytes], message: list[Any]) -> None:
        """Sends a message to many timelines, one frame per host."""
        self._require_map()
        pending = [reader.hex() for reader in readers]
        while pending:
            now, pending = pending[:_MAX_IN_FLIGHT], pending[_MAX_IN_FLIGHT:]
            try:
                await self._router.call_all(KIND_NAME, now, message, _WRITE_S)
            except CallError as error:
                raise _translated(error) from error


def open_calls(router: Router, _database: Database) -> FeedCalls:
    """Returns the feeds of a process."""
    return FeedCalls(router)


def _translated(error: CallError) -> FeedsUnavailable | TimelineFailed:
    kind = TimelineFailed if isinstance(error, EntityFailed) else FeedsUnavailable
    return kind(f"{type(error).__name__}: {error}")


def _wire(entry: Entry) -> list[Any]:
    return [entry.at, entry.id, entry.author, entry.audience, entry.list_id]
