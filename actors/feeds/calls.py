"""Feed entities as everyone else calls them, through the runtime's router."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Any

from actors.feeds.breaker import HostBreaker
from actors.feeds.entity import AUTHOR, KIND_NAME, page_from_wire
from actors.runtime import CallError, EntityFailed
from actors.runtime.transport.router import Router
from features.feed.machine import EVERYTHING, Entry, Key, Page
from features.feed.ports import FeedsUnavailable, TimelineFailed

_READ_S = 0.5
"""A page that takes longer comes from Postgres."""
_WRITE_S = 5.0
_UNDER_WAY = 2_000
"""Calls of one delivery that are in flight at once."""


class FeedCalls:
    """Implements features.feed.ports.Feeds."""

    def __init__(self, router: Router, clock: Callable[[], float] = time.monotonic) -> None:
        self._router = router
        self._clock = clock
        self._breaker = HostBreaker()

    async def page(self, reader: bytes, after: Key | None, limit: int) -> Page:
        """See Feeds.page."""
        return await self._page(reader.hex(), ["page", limit, after])

    async def author_page(self, author: bytes, after: Key | None, limit: int, audiences: int = EVERYTHING) -> Page:
        """See Feeds.author_page."""
        return await self._page(AUTHOR + author.hex(), ["page", limit, after, audiences])

    async def put(self, readers: Collection[bytes], entry: Entry) -> None:
        """See Feeds.put."""
        await self._tell(readers, ["put", *_wire(entry)])

    async def put_own(self, entry: Entry, *, heavy: bool) -> bool:
        """See Feeds.put_own."""
        return bool(await self._call(AUTHOR + entry.author.hex(), ["put_own", heavy, *_wire(entry)]))

    async def announced(self, author: bytes) -> None:
        """See Feeds.announced."""
        await self._call(AUTHOR + author.hex(), ["announced"])

    async def remove(self, readers: Collection[bytes], entry: Entry) -> None:
        """See Feeds.remove."""
        message = ["remove", entry.at, entry.id]
        await self._call(AUTHOR + entry.author.hex(), message)
        await self._tell(readers, message)

    async def forget(self, readers: Collection[bytes]) -> None:
        """See Feeds.forget."""
        await self._tell(readers, ["forget"])

    async def grown_heavy(self, readers: Collection[bytes], author: bytes) -> None:
        """See Feeds.grown_heavy."""
        await self._tell(readers, ["grown_heavy", author])

    async def _page(self, entity: str, message: list[Any]) -> Page:
        self._require_map()
        host = self._router.owner(KIND_NAME, entity)
        asked_at = self._clock()
        if not self._breaker.closed(host, asked_at):
            raise FeedsUnavailable(f"{host or 'no host'} does not answer")
        try:
            for _ in range(3):
                value = await self._router.call(KIND_NAME, entity, message, _READ_S)
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
        raise FeedsUnavailable("the timeline is forgotten faster than it is loaded")

    def _require_map(self) -> None:
        if not self._router.view.version:
            raise FeedsUnavailable("there is no runtime yet")

    async def _call(self, entity: str, message: list[Any]) -> Any:
        self._require_map()
        try:
            return await self._router.call(KIND_NAME, entity, message, _WRITE_S)
        except CallError as error:
            raise _translated(error) from error

    async def _tell(self, readers: Iterable[bytes], message: list[Any]) -> None:
        """The same message for many, in as few frames as there are hosts."""
        self._require_map()
        pending = [reader.hex() for reader in readers]
        while pending:
            now, pending = pending[:_UNDER_WAY], pending[_UNDER_WAY:]
            calls: list[Awaitable[Any]] = [self._router.call(KIND_NAME, reader, message, _WRITE_S) for reader in now]
            for answer in await asyncio.gather(*calls, return_exceptions=True):
                if isinstance(answer, CallError):
                    raise _translated(answer) from answer
                if isinstance(answer, BaseException):
                    raise answer


def _translated(error: CallError) -> FeedsUnavailable | TimelineFailed:
    kind = TimelineFailed if isinstance(error, EntityFailed) else FeedsUnavailable
    return kind(f"{type(error).__name__}: {error}")


def _wire(entry: Entry) -> list[Any]:
    return [entry.at, entry.id, entry.author, entry.audience, entry.list_id]
