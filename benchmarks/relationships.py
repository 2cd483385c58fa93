"""Follows a second, of one account by many people at once, beside the same number of follows of as many accounts.

Each follow is a unit of work of its own on a private Postgres server (fsync on); rounds of both kinds alternate.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING
from uuid import UUID

from benchmarks.figure import Figure, quantile
from benchmarks.size import sized

if TYPE_CHECKING:
    from cluster.postgres import Database
    from features.follows.service import FollowService

FIGURES = ("relationships.follows_per_s",)

_FOLLOWERS, _ROUNDS = sized(1_000, 40), sized(5, 1)
_CONNECTIONS, _AT_ONCE = 16, 32
_WARM_UP = 20
_DEADLINE_S = 600

_PEOPLE = """
with made as (
    insert into accounts (id, email, password_hash, created_at)
    select gen_random_uuid(), $1 || number || '@example.org', 'none', now()
    from generate_series(0, $2::int - 1) as number returning id, split_part(email, '@', 1) as username
), named as (
    insert into profiles (account_id, username, name, created_at, updated_at)
    select id, username, username, now(), now() from made
)
insert into connection_counts (account_id) select id from made returning account_id
"""
_SIZE = """
select sum(audience) + (select coalesce(sum(audience), 0) from connection_count_shards) from connection_counts
"""


def run(_wanted: Callable[[str], bool]) -> Iterator[Figure]:
    """Measures the figure. Raises TimeoutError after ten minutes, RuntimeError if a count is wrong."""
    yield asyncio.run(asyncio.wait_for(_run(), _DEADLINE_S))


@asynccontextmanager
async def _database() -> AsyncIterator[Database]:
    import asyncpg

    from cluster.local.processes import Processes, free_port
    from cluster.local.services import PostgresServer
    from cluster.migrate import migrate
    from cluster.postgres import connect_database

    with tempfile.TemporaryDirectory(prefix="entativa-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # the account that Postgres runs as must get in
        processes = Processes(Path(folder))
        postgres = PostgresServer(processes, free_port(), token_hex(8))
        try:
            postgres.start()
            admin = await asyncpg.connect(postgres.address("postgres"))
            await admin.execute("create database bench")
            await admin.close()
            await migrate(postgres.address("bench"))
            async with connect_database(postgres.address("bench"), pool_size=_CONNECTIONS) as database:
                yield database
        finally:
            postgres.stop()
            processes.sweep()


def _follows() -> FollowService:
    from features.follows.policy import FollowPolicy
    from features.follows.service import FollowService
    from features.profiles.policy import ProfilePolicy
    from features.profiles.service import ProfileService
    from features.relationships.policy import RelationshipPolicy
    from features.relationships.service import RelationshipService
    from features.sealed_cursors import SealedCursors

    relationships = RelationshipService(RelationshipPolicy(), SealedCursors.of_brand(b"benchmark", "benchmark"))
    return FollowService(FollowPolicy(), relationships, ProfileService(ProfilePolicy(), relationships))


async def _per_second(database: Database, follows: FollowService, pairs: list[tuple[UUID, str]]) -> float:
    """Returns how many of the follows (who, of which username) are committed a second."""
    waiting = iter(pairs)

    async def follow_on() -> None:
        for me, username in waiting:
            async with database.unit_of_work() as uow:
                await follows.follow(uow, me, username, datetime.now(UTC))
                await uow.commit()

    begin = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(follow_on())
    return len(pairs) / (time.perf_counter() - begin)


async def _run() -> Figure:
    one, many, follows = list[float](), list[float](), _follows()
    async with _database() as database:
        pool = database.pool
        followers = [row["account_id"] for row in await pool.fetch(_PEOPLE, "follower", _FOLLOWERS)]
        await pool.fetch(_PEOPLE, "followed", _FOLLOWERS)
        await pool.fetch(_PEOPLE, "celebrity", _ROUNDS + 1)
        await pool.execute("analyze")
        await _per_second(database, follows, [(me, f"celebrity{_ROUNDS}") for me in followers[:_WARM_UP]])
        for number in range(_ROUNDS):
            shifted = [f"followed{(n + number) % _FOLLOWERS}" for n in range(_FOLLOWERS)]
            many.append(await _per_second(database, follows, [*zip(followers, shifted, strict=True)]))
            one.append(await _per_second(database, follows, [(me, f"celebrity{number}") for me in followers]))
        counted, made = await pool.fetchval(_SIZE), await pool.fetchval("select count(*) from connections")
    if counted != made or made != 2 * _ROUNDS * _FOLLOWERS + _WARM_UP:
        raise RuntimeError(f"{made} follows, counted as {counted}")
    return Figure(
        "relationships.follows_per_s",
        quantile(one, 0.5),
        "1/s",
        "follows of as many accounts",
        quantile(many, 0.5),
        samples=_ROUNDS,
        extra={"followers": _FOLLOWERS, "connections": _CONNECTIONS, "bound": 0.5},
    )
