"""Scheduled posts and polls, on a private Postgres server (fsync on).

`content.scheduled_post_lateness_ms` is how long after their common time the last of many scheduled posts was committed,
by three processes of which two are killed at that moment. `content.poll_votes_per_s` counts committed votes of many
people in each of many polls, half of the attempts being second ones; the baseline is the same with one poll.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING
from uuid import UUID

from benchmarks.figure import Figure
from benchmarks.size import sized

if TYPE_CHECKING:
    from cluster.postgres import Database

FIGURES = ("content.scheduled_post_lateness_ms", "content.poll_votes_per_s")

_POSTS, _AHEAD_S = sized(1_000, 50), sized(20.0, 3.0)
_PUBLISHERS, _KILLED = 3, 2
_POLLS, _VOTERS = sized(100, 4), sized(1_000, 20)
_CONNECTIONS, _AT_ONCE = 16, 32
_DEADLINE_S = 600

_PEOPLE = """
with made as (
    insert into accounts (id, email, password_hash, created_at)
    select gen_random_uuid(), number || '@example.org', 'none', now() from generate_series(1, $1::int) as number
    returning id, split_part(email, '@', 1) as username
), named as (
    insert into profiles (account_id, username, name, created_at, updated_at)
    select id, 'person' || username, username, now(), now() from made
)
insert into connection_counts (account_id) select id from made returning account_id
"""
_SCHEDULE = """
insert into post_drafts (id, author_id, text, tags, audience, publish_at, created_at, updated_at)
select gen_random_uuid(), $1, 'On my way', '{lisbon}', 'public', $2, now(), now() from generate_series(1, $3::int)
"""
_OPEN_POLL = """
insert into posts (id, author_id, text, audience, created_at, poll)
values (gen_random_uuid(), $1, '', 'public', now(), $2) returning id
"""
_RECOUNT = """
select coalesce(sum(voters), 0) from poll_counts union all
select count(*) from poll_votes union all
select count(distinct (post_id, voter_id)) from poll_votes
"""


def run(wanted: Callable[[str], bool]) -> Iterator[Figure]:
    """Measures what is wanted. Raises TimeoutError after ten minutes, RuntimeError if a post or a vote is missing or
    there twice."""
    if wanted("content.scheduled_post_lateness_ms"):
        yield asyncio.run(asyncio.wait_for(_lateness(), _DEADLINE_S))
    if wanted("content.poll_votes_per_s"):
        yield asyncio.run(asyncio.wait_for(_votes(), _DEADLINE_S))


@asynccontextmanager
async def _database() -> AsyncIterator[tuple[str, Database]]:
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
            address = postgres.address("bench")
            await migrate(address)
            async with connect_database(address, pool_size=_CONNECTIONS) as database:
                yield address, database
        finally:
            postgres.stop()
            processes.sweep()


async def _lateness() -> Figure:
    async with _database() as (address, database):
        author = await database.pool.fetchval(_PEOPLE, 1)
        due = datetime.now(UTC) + timedelta(seconds=_AHEAD_S)
        await database.pool.execute(_SCHEDULE, author, due, _POSTS)
        command = (sys.executable, "-m", "benchmarks.stack.schedule_process", address)
        publishers = [
            await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE) for _ in range(_PUBLISHERS)
        ]
        try:
            for publisher in publishers:
                assert publisher.stdout is not None
                await publisher.stdout.readline()
            late = datetime.now(UTC) > due
            await asyncio.sleep((due - datetime.now(UTC)).total_seconds())
            for publisher in publishers[:_KILLED]:
                await asyncio.sleep(0.02)
                publisher.kill()
            while (posts := await database.pool.fetchval("select count(*) from posts")) < _POSTS:
                await asyncio.sleep(0.01)
            lateness = datetime.now(UTC) - due
        finally:
            for publisher in publishers:
                if publisher.returncode is None:
                    publisher.kill()
                await publisher.wait()
        left = await database.pool.fetchval("select count(*) from post_drafts")
        outbox = await database.pool.fetchval("select count(distinct key) from outbox where type = 'posts.created'")
    if (posts, left, outbox) != (_POSTS, 0, _POSTS):
        raise RuntimeError(f"{posts} posts, {outbox} events, {left} drafts left")
    return Figure(
        "content.scheduled_post_lateness_ms",
        lateness.total_seconds() * 1_000,
        "ms",
        extra={"posts": _POSTS, "publishers": _PUBLISHERS, "killed": _KILLED, "started_late": late, "bound_ms": 1_000},
    )


async def _vote(database: Database, attempts: Sequence[tuple[UUID, UUID, int]]) -> float:
    """Returns how many votes (poll, voter, choice) are committed a second; second ones are refused."""
    from features.posts.errors import AlreadyVoted
    from features.posts.voting import Polls

    polls, waiting, committed = Polls(), iter(attempts), 0

    async def vote_on() -> None:
        nonlocal committed
        for post_id, voter_id, choice in waiting:
            async with database.unit_of_work() as uow:
                try:
                    await polls.vote(uow, post_id, voter_id, [choice], datetime.now(UTC))
                    await uow.commit()
                except AlreadyVoted:
                    continue
            committed += 1

    begin = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(vote_on())
    return committed / (time.perf_counter() - begin)


async def _votes() -> Figure:
    from features.posts import poll_store

    async with _database() as (_, database):
        pool = database.pool
        voters = [row["account_id"] for row in await pool.fetch(_PEOPLE, _VOTERS)]
        closes_at = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        poll = {"options": ["a", "b"], "multiple": False, "closes_at": closes_at, "min_voters": 3}
        posts = [await pool.fetchval(_OPEN_POLL, voters[0], poll) for _ in range(_POLLS + 1)]
        await pool.execute("analyze")
        one = await _vote(database, [(posts[-1], voter, turn) for voter in voters for turn in range(2)])
        many = await _vote(
            database, [(post, voter, turn) for voter in voters for turn in range(2) for post in posts[:-1]]
        )
        async with database.unit_of_work() as uow:
            await poll_store.count_votes(uow, posts, at_once=1)
            await uow.commit()
        counted = [row[0] for row in await pool.fetch(_RECOUNT)]
    if set(counted) != {(_POLLS + 1) * _VOTERS}:
        raise RuntimeError(f"counted, stored and different votes: {counted}")
    return Figure(
        "content.poll_votes_per_s",
        many,
        "1/s",
        "one poll",
        one,
        extra={"polls": _POLLS, "voters": _VOTERS, "connections": _CONNECTIONS},
    )
