"""Reactions while their hosts are killed and Postgres crashes: what was acknowledged is counted, once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import secrets
import signal
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest

from actors.counters.calls import CounterCalls
from actors.counters.entity import KIND_NAME
from actors.runtime.shard_map import shard_of
from cluster.local.processes import Processes, free_port
from cluster.local.services import PostgresServer
from cluster.migrate import migrate
from features.counters.model import REACTION_KINDS, Counted, Target, TargetKind
from features.counters.policy import CounterPolicy
from features.counters.ports import CountersUnavailable
from tests.cluster.conftest import Platform, RunningRuntime, eventually, running

PEOPLE = 24
BETWEEN = 5 * PEOPLE
"""Reactions that are stored after each failure, before the next."""

_PEOPLE = """
insert into accounts (id, email, password_hash, created_at)
select gen_random_uuid(), number || '@example.org', 'none', now() from generate_series(1, $1::int) as number
returning id
"""
_POST = "insert into posts (id, author_id, text, audience, created_at) values ($1, $2, 'x', 'public', now())"
_WRONG = """
with counted as (select target_id, kind as name, count(*) as count from reactions group by 1, 2),
stored as (select target_id, name, sum(count) as count from target_counts group by 1, 2 having sum(count) <> 0)
select count(*) from counted full join stored using (target_id, name)
where counted.count is distinct from stored.count
"""


class Square:
    """People who change their reactions to one post all the time, each one reaction after the other."""

    def __init__(self, address: str, runtime: RunningRuntime, people: list[UUID], target: Target) -> None:
        self.address = address
        self.runtime = runtime
        self.people = people
        self.target = target
        self.counters = CounterCalls(runtime.router)
        self.last: dict[UUID, str | None] = {}
        """What each person's last reaction that was acknowledged was."""
        self.stored = 0
        self.stopping = False

    async def toggle(self, person: UUID) -> None:
        """Reacts until told to stop. What was not acknowledged is repeated, as clients do: it may have been stored."""
        chance = random.Random(person.int)
        while not self.stopping:
            kind = chance.choice((*REACTION_KINDS, None))
            while True:
                try:
                    await self.counters.react(self.target, person, kind, datetime.now(UTC))
                    break
                except CountersUnavailable:
                    await asyncio.sleep(0.1)
            self.last[person] = kind
            self.stored += 1

    async def go_on(self) -> None:
        """Waits until reactions are stored again."""
        enough = self.stored + BETWEEN
        await eventually(lambda: self.stored >= enough, timeout=120)

    async def _read(self, person: UUID) -> Counted | None:
        """None while they cannot be reached: a host that stalls, as one may on a busy machine, is replaced."""
        with contextlib.suppress(CountersUnavailable):
            (found,) = await self.counters.read([self.target], person)
            return found
        return None

    async def check(self) -> None:
        """Compares memory and Postgres with what was acknowledged."""
        expected = {kind: count for kind in REACTION_KINDS if (count := list(self.last.values()).count(kind))}
        for person in self.people:
            found = await eventually(partial(self._read, person))
            assert (dict(found.counts), found.own) == (expected, self.last[person])
        connection = await asyncpg.connect(self.address)
        assert await connection.fetchval(_WRONG) == 0
        assert await connection.fetchval("select count(*) from reactions") == sum(expected.values())
        await connection.close()


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    """A server of the test's own, which it crashes."""
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # the account that Postgres runs as must get in
        processes = Processes(Path(folder) / ".local")
        server = PostgresServer(processes, free_port(), secrets.token_hex(8))
        try:
            server.start()
            yield server
        finally:
            server.stop()
            processes.sweep()


@pytest.mark.slow
async def test_reactions_are_exact_through_crashes_of_hosts_and_of_postgres(
    platform: Platform, postgres: PostgresServer
) -> None:
    address = postgres.address("postgres")
    await migrate(address)
    connection = await asyncpg.connect(address)
    people = [row["id"] for row in await connection.fetch(_PEOPLE, PEOPLE)]
    target = Target(TargetKind.POST, uuid4())
    await connection.execute(_POST, target.id, people[0])
    await connection.close()
    async with running(address, kinds={"actors.counters:KIND": CounterPolicy(max_known=8)}) as runtime:
        square = Square(address, runtime, people, target)
        busy = [asyncio.create_task(square.toggle(person)) for person in people]
        await square.go_on()
        os.kill(await runtime.pid(await runtime.owner(KIND_NAME, shard_of(target.name))), signal.SIGKILL)
        await square.go_on()
        postgres.processes.stop(postgres.NAME, signal_number=signal.SIGQUIT)  # at once, with recovery at its next start
        await asyncio.to_thread(postgres.start)
        await square.go_on()
        square.stopping = True
        await asyncio.gather(*busy)
        await square.check()
