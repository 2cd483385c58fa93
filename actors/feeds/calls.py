"""Feed entities as everyone else calls them, through the runtime's router."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Any

from actors.feeds.entity import AUTHOR, KIND_NAME, page_from_wire
from actors.runtime import CallError, EntityFailed
from actors.runtime.transport.router import Router
from features.feed.machine import EVERYTHING, Entry, Key, Page
from features.feed.ports import FeedsUnavailable, TimelineFailed

_READ_S = 0.5
"""A page that takes longer comes from Postgres."""
_WRITE_S = 5.0
_PAUSE_S = 1.0
"""After a read that was not answered in time, this long nobody waits for another."""
_UNDER_WAY = 2_000
"""Calls of one delivery that are in flight at once."""


class FeedCalls:
    """Implements features.feed.ports.Feeds."""

    def __init__(self, router: Router, clock: Callable[[], float] = time.monotonic) -> None:
        self._router = router
        self._clock = clock
        self._paused_until = 0.0

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
        if self._clock() < self._paused_until:
            raise FeedsUnavailable("the runtime does not answer")
        try:
            for _ in range(3):
                value = await self._router.call(KIND_NAME, entity, message, _READ_S)
                if value is not None:
                    return page_from_wire(value)
        except CallError as fault:
            self._paused_until = self._clock() + _PAUSE_S
            raise FeedsUnavailable(f"{type(fault).__name__}: {fault}") from fault
        raise FeedsUnavailable("the timeline is forgotten faster than it is loaded")

    def _require_map(self) -> None:
        if not self._router.view.version:
            raise FeedsUnavailable("there is no runtime yet")

    async def _call(self, entity: str, message: list[Any]) -> Any:
        self._require_map()
        try:
            return await self._router.call(KIND_NAME, entity, message, _WRITE_S)
        except CallError as fault:
            raise _translated(fault) from fault

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


def _translated(fault: CallError) -> FeedsUnavailable | TimelineFailed:
    kind = TimelineFailed if isinstance(fault, EntityFailed) else FeedsUnavailable
    return kind(f"{type(fault).__name__}: {fault}")


def _wire(entry: Entry) -> list[Any]:
    return [entry.at, entry.id, entry.author, entry.audience, entry.list_id]
