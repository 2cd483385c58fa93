"""The feed of a reader who follows hundreds of high-fan-out authors: CPU of one page in the gateway, all posts cached.

`first_read` is the CPU of a read for which the gateway knows no author's newest posts. The timelines are in this
process: what the runtime's calls cost there, one message per author, is not part of that. Other reads make none.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from benchmarks.figure import Extra, Figure, quantile
from benchmarks.size import sized
from cluster.postgres import UnitOfWork
from cluster.redis import open_redis
from features.counters.model import NOTHING_COUNTED, Counted, Target
from features.counters.ports import Counters
from features.counters.service import CounterService
from features.feed.author_heads import AuthorHeads
from features.feed.home import HomeFeed
from features.feed.invalidations import InvalidationReader, InvalidationStream
from features.feed.machine import CONNECTIONS, EVERYTHING, PUBLIC, Entry, Key, Rights, Timeline, TimelinePage
from features.feed.own_marks import OwnMarks
from features.feed.poll_results import PollResults
from features.feed.ports import AuthorRead, Feeds
from features.feed.render_cache import RenderCache, RenderedPost
from features.paging import PageRequest

_AUTHORS, _POSTS, _READS = sized(500, 20), 60, sized(50, 3)
_LIMIT, _KEPT = 50, 400


class _Timelines:
    """Feeds without the runtime, for reads only."""

    def __init__(self, reader: Timeline, authors: dict[bytes, Timeline]) -> None:
        self._reader, self._authors = reader, authors

    async def page(self, reader: bytes, after: Key | None, limit: int, *, times: bool = False) -> TimelinePage:
        return self._reader.page(after, limit)

    async def author_pages(self, reads: Sequence[AuthorRead], limit: int) -> list[TimelinePage]:
        return [self._authors[read.author].page(read.after, limit, read.audiences) for read in reads]


class _NoReactions:
    """Counters without the runtime, for reads only."""

    async def read(self, targets: Sequence[Target], viewer_id: UUID | None) -> list[Counted]:
        return [NOTHING_COUNTED] * len(targets)


class _Current(InvalidationReader):
    """Follows nothing: no post changes meanwhile."""

    @property
    def current(self) -> bool:
        return True


class _NoMarks(UnitOfWork):
    def __init__(self) -> None:
        """A unit of work for one statement: what the reader has reposted, saved and voted in, which is nothing."""

    async def fetchrow(self, *_: object) -> Any:
        return {"reposted": [], "saved": [], "votes": None}


def run() -> Figure:
    """Returns the figure."""
    return asyncio.run(_run())


async def _run() -> Figure:
    people, reader = [secrets.token_bytes(16) for _ in range(_AUTHORS)], secrets.token_bytes(16)
    cache, authors = RenderCache(_AUTHORS * _POSTS), dict[bytes, Timeline]()
    for number, author in enumerate(people):
        entries = [
            Entry((_POSTS - n) * 60_000_000 - number, secrets.token_bytes(16), author, PUBLIC) for n in range(_POSTS)
        ]
        authors[author] = Timeline()
        authors[author].load(Rights({author: EVERYTHING}), entries, _KEPT)
        posts = [RenderedPost(entry.key, author, PUBLIC, b"", frozenset(), b"{") for entry in entries]
        cache.end(cache.begin(current=True), posts)
    rights = dict.fromkeys(people, PUBLIC | CONNECTIONS) | {reader: EVERYTHING}
    timeline = Timeline()
    timeline.load(Rights(rights, high_fan_out=frozenset(people)), [], _KEPT)
    invalidations = _Current(InvalidationStream(open_redis("redis://localhost"), "none"), cache)
    heads = AuthorHeads()
    counters = CounterService(cast(Counters, _NoReactions()))
    feeds = cast(Feeds, _Timelines(timeline, authors))
    home = HomeFeed(feeds, counters, cache, heads, OwnMarks(), PollResults(), invalidations)
    uow, milliseconds, cold = _NoMarks(), list[float](), list[float]()
    for number in range(2 * _READS):
        if number % 2 == 0:
            heads.clear()
        before = time.process_time()
        page = await home.page(uow, UUID(bytes=reader), PageRequest(_LIMIT), datetime.now(UTC))
        (milliseconds if number % 2 else cold).append((time.process_time() - before) * 1000)
        assert page is not None
        assert page.count(b'"reactions"') == _LIMIT
    extra: dict[str, Extra] = {
        "authors": _AUTHORS,
        "p95": quantile(milliseconds, 0.95),
        "first_read": quantile(cold, 0.5),
        "bound": 3,
    }
    return Figure("feeds.heavy_authors_cpu_ms", quantile(milliseconds, 0.5), "ms", samples=_READS, extra=extra)
