"""Votes a second of many people in many polls at once, on a private Postgres server (fsync on).

Everybody votes in each poll, and every fifth twice at once, for different options: one of the two is refused. The
baseline is the same with one poll. A vote that is counted twice, or not at all, is an error, not a figure.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from benchmarks.figure import Figure
from benchmarks.size import sized

if TYPE_CHECKING:
    from cluster.postgres import Database

FIGURES = ("content.poll_votes_per_s",)

_POLLS, _VOTERS = sized(100, 4), sized(1_000, 20)
_TWICE_EVERY = 5
_CONNECTIONS, _AT_ONCE = 16, 32
_DEADLINE_S = 850

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
_OPEN_POLL = """
insert into posts (id, author_id, text, audience, created_at, poll)
values (gen_random_uuid(), $1, '', 'public', now(), $2) returning id
"""
_RECOUNT = """
select coalesce(sum(voters), 0) from poll_counts union all
select count(*) from poll_votes union all
select count(distinct (post_id, voter_id)) from poll_votes
"""


def run(_wanted: Callable[[str], bool]) -> Iterator[Figure]:
    """Measures the figure. Raises TimeoutError, and RuntimeError if votes are missing or there twice."""
    yield asyncio.run(asyncio.wait_for(_votes(), _DEADLINE_S))


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


def _attempts(voters: Sequence[UUID], posts: Sequence[UUID]) -> list[tuple[UUID, UUID, int]]:
    return [
        (post, voter, turn)
        for number, voter in enumerate(voters)
        for post in posts
        for turn in range(1 + (number % _TWICE_EVERY == 0))
    ]


async def _votes() -> Figure:
    from benchmarks.stack.private_postgres import private_database
    from features.posts import poll_store

    async with private_database(pool_size=_CONNECTIONS) as database:
        pool = database.pool
        voters = [row["account_id"] for row in await pool.fetch(_PEOPLE, _VOTERS)]
        closes_at = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        poll = {"options": ["a", "b"], "multiple": False, "closes_at": closes_at, "min_voters": 3}
        posts = [await pool.fetchval(_OPEN_POLL, voters[0], poll) for _ in range(_POLLS + 1)]
        # Not the tables of votes: a plan that is made for an empty one, and kept, reads the whole table.
        await pool.execute("analyze accounts, profiles, connection_counts, posts")
        one = await _vote(database, _attempts(voters, posts[-1:]))
        many = await _vote(database, _attempts(voters, posts[:-1]))
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
