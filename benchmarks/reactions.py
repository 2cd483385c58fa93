"""Reactions a second to one post, beside as many reactions to a thousand posts; and what other writes notice of them.

Router and host share this process, as the platform's have one each; Postgres is a private server with fsync on. All
reactions of a round are asked for at once. A reaction counts when it is acknowledged, that is, committed, and at the
end all counts must be those of the stored reactions.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from benchmarks.figure import Figure, quantile
from benchmarks.size import sized

if TYPE_CHECKING:
    from cluster.postgres import Database
    from features.counters.ports import Counters

FIGURES = ("content.hot_reactions_per_s", "content.hot_reactions_other_writes_ms")

_PEOPLE, _POSTS, _ROUNDS = sized(10_000, 60), sized(1_000, 10), sized(5, 1)
_CALM_S, _TURNS, _OTHER_EVERY_S = sized(5.0, 0.3), sized(5, 1), 0.02
_PACE_PER_S, _TICK_S = 2_000, 0.01
_DEADLINE_S = 600

_MADE = """
with people as (
    insert into accounts (id, email, password_hash, created_at)
    select gen_random_uuid(), number || '@example.org', 'none', now() from generate_series(1, $1::int) as number
    returning id
), author as (select id from people limit 1)
select (select array_agg(id) from people) as people, (select id from author) as author
"""
_INSERT_POST = "insert into posts (id, author_id, text, audience, created_at) values ($1, $2, 'x', 'public', now())"
_WRONG = """
with counted as (select target_id, kind as name, count(*) as count from reactions group by 1, 2),
stored as (select target_id, name, sum(count) as count from target_counts group by 1, 2 having sum(count) <> 0)
select count(*) from counted full join stored using (target_id, name)
where counted.count is distinct from stored.count
"""


def run(wanted: Callable[[str], bool]) -> Iterator[Figure]:
    """Measures the figures. Raises TimeoutError after ten minutes, RuntimeError if a count is wrong."""
    yield from (figure for figure in asyncio.run(asyncio.wait_for(_run(), _DEADLINE_S)) if wanted(figure.figure))


@dataclass(frozen=True, slots=True)
class _Setting:
    database: Database
    counters: Counters
    author: UUID
    people: Sequence[UUID]
    posts: Sequence[UUID]

    async def react(self, people: Sequence[UUID], posts: Sequence[UUID], turn: int) -> None:
        """Every one of the people reacts to a post, all at once; at every turn with another kind."""
        from features.counters.model import REACTION_KINDS, Target, TargetKind
        from features.counters.ports import CountersUnavailable

        now, kind = datetime.now(UTC), REACTION_KINDS[turn % len(REACTION_KINDS)]

        async def react(person: UUID, post: UUID) -> None:
            while True:
                with contextlib.suppress(CountersUnavailable):  # what was not answered in time is tried again
                    await self.counters.react(Target(TargetKind.POST, post), person, kind, now)
                    return

        await asyncio.gather(*(react(person, posts[number % len(posts)]) for number, person in enumerate(people)))

    async def check(self) -> None:
        if await self.database.pool.fetchval(_WRONG):
            raise RuntimeError("counts differ from the reactions that are stored")

    async def other_writes(self, seconds: float) -> list[float]:
        """Publishes posts, one after the other, for a time. Returns how long each took, in milliseconds."""
        took: list[float] = []
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            begun = time.perf_counter()
            await self.database.pool.execute(_INSERT_POST, UUID(bytes=secrets.token_bytes(16)), self.author)
            took.append((time.perf_counter() - begun) * 1000)
            await asyncio.sleep(_OTHER_EVERY_S)
        return took


async def _run() -> list[Figure]:
    rates: dict[str, list[float]] = {"hot": [], "spread": []}
    async with _setting() as setting:
        kinds = (("spread", setting.posts), ("hot", setting.posts[:1]))
        for _, posts in kinds:
            await setting.react(setting.people[:100], posts, 0)
        for turn in range(1, _ROUNDS + 1):
            for name, posts in kinds:
                begun = time.perf_counter()
                await setting.react(setting.people, posts, turn)
                rates[name].append(len(setting.people) / (time.perf_counter() - begun))
        await setting.check()
        calm, busy, paces = list[float](), list[float](), list[float]()
        for _ in range(_TURNS):  # in turns, so that a busy moment of the machine hits both
            calm += await setting.other_writes(_CALM_S)
            stop = asyncio.Event()
            pacing = asyncio.create_task(_pace(setting, stop))
            busy += await setting.other_writes(_CALM_S)
            stop.set()
            paces.append(await pacing)
        await setting.check()
    extra: dict[str, Any] = {"at_once": _PEOPLE, "posts": _POSTS}
    return [
        Figure(
            "content.hot_reactions_per_s",
            quantile(rates["hot"], 0.5),
            "1/s",
            f"as many reactions to {_POSTS} posts",
            quantile(rates["spread"], 0.5),
            samples=_ROUNDS,
            extra=extra,
        ),
        Figure(
            "content.hot_reactions_other_writes_ms",
            quantile(busy, 0.99),
            "ms",
            "the 99th percentile without reactions",
            quantile(calm, 0.99),
            samples=len(busy),
            extra={
                "reactions_per_s": quantile(paces, 0.5),
                "p50": quantile(busy, 0.5),
                "calm_p50": quantile(calm, 0.5),
            },
        ),
    ]


async def _pace(setting: _Setting, stop: asyncio.Event) -> float:
    """Reacts to one post at a steady pace until told to stop. Returns the reactions a second that were stored."""
    tasks: list[asyncio.Task[None]] = []
    begun, turn, made = time.perf_counter(), 0, 0
    while not stop.is_set():
        due = int((time.perf_counter() - begun) * _PACE_PER_S) - made
        if due:
            first = made % len(setting.people)
            people = setting.people[first : first + due]
            turn += 1
            tasks.append(asyncio.create_task(setting.react(people, setting.posts[:1], turn)))
            made += len(people)
        await asyncio.sleep(_TICK_S)
    await asyncio.gather(*tasks)
    return made / (time.perf_counter() - begun)


@contextlib.asynccontextmanager
async def _setting() -> AsyncIterator[_Setting]:
    from benchmarks.stack.private_postgres import private_postgres
    from cluster.postgres import connect_database
    from features.counters.policy import CounterPolicy
    from features.counters.ports import COUNTERS
    from features.feed.policy import FeedPolicy
    from tests.support.timeline_host import entities

    async with (
        private_postgres() as (address, folder),
        connect_database(address, pool_size=4) as database,
        entities(address, folder, FeedPolicy(), CounterPolicy()) as (_, ports),
    ):
        made = await database.pool.fetchrow(_MADE, _PEOPLE)
        assert made is not None
        posts = [UUID(bytes=secrets.token_bytes(16)) for _ in range(_POSTS)]
        await database.pool.executemany(_INSERT_POST, [(post, made["author"]) for post in posts])
        # Not the tables of reactions: a plan that is made for an empty one, and kept, reads the whole table.
        await database.pool.execute("analyze accounts, posts")
        counters = ports.get(COUNTERS)
        assert counters is not None
        yield _Setting(database, counters, made["author"], made["people"], posts)
