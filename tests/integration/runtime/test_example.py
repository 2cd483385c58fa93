"""The example in docs/runtime.md, "Adding a kind", run on a real Postgres and Redis."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import actors.runtime
from actors.runtime import KindContext, Refused
from actors.runtime.hosting.committer import Committer
from actors.runtime.hosting.mailboxes import Mailboxes
from actors.runtime.hosting.turns import TurnRunner
from actors.runtime.shard_map import shard_of
from actors.runtime.store.rows import ShardRow
from actors.runtime.store.shard_store import ShardStore
from actors.runtime.store.turn_writes import TurnWrites
from actors.runtime.transport.frames import CALLS, DONE, pack_body, unpack_answer
from cluster.postgres import UnitOfWork, connect_database
from cluster.redis import open_redis
from tests.support.kind_context import kind_context
from tests.support.servers import Servers


def example() -> dict[str, Any]:
    """The names that the code of the walk-through defines."""
    text = (Path(__file__).parents[3] / "docs" / "runtime.md").read_text()
    walk_through = text[text.index("## Adding a kind") :]
    names = {name: getattr(actors.runtime, name) for name in actors.runtime.__all__}
    names |= {"dataclass": dataclass, "UnitOfWork": UnitOfWork, "Sequence": Sequence}
    for code in re.findall(r"```python\n(.*?)```", walk_through, re.DOTALL):
        exec(code, names)
    return names


class Origin:
    """Keeps answers by call."""

    def __init__(self) -> None:
        self.answers: dict[int, tuple[int, Any]] = {}

    def answer(self, packed: bytes) -> None:
        """See deduplication.Origin."""
        call, status, value = unpack_answer(packed)
        self.answers[call] = (status, value)


class Counters:
    """One host's memory, with all that a counter needs."""

    def __init__(self, names: dict[str, Any], store: ShardStore, writes: TurnWrites, context: KindContext[Any]) -> None:
        self._mailboxes, self._origin = Mailboxes("host", lambda _kind, _shard: ""), Origin()
        kind = names["KIND"]
        self._mailboxes.add_kind(TurnRunner(kind, kind.handler(context), store, Committer(writes)))
        self._mailboxes.serve_until = time.monotonic() + 600
        self._calls = 0

    def own(self, row: ShardRow) -> None:
        shard = self._mailboxes.shard(row.kind, row.shard)
        shard.ownership.mapped(row, "host")
        shard.ownership.loaded(row.epoch)
        self._mailboxes.let_in(shard)

    async def ask(self, entity_id: str, message: Any) -> tuple[int, Any]:
        self._calls += 1
        call = [self._calls, "counter", entity_id, 60_000, pack_body(message)]
        self._mailboxes.deliver(self._origin, b"caller-1", [CALLS, 1, call])
        async with asyncio.timeout(60):
            while self._calls not in self._origin.answers:
                await asyncio.sleep(0.01)
        return self._origin.answers[self._calls]

    async def close(self) -> None:
        await self._mailboxes.close()


async def test_the_example_counts_stores_and_announces(servers: Servers, database_address: str) -> None:
    names = example()
    store = await ShardStore.open(database_address, application="test")
    leadership = (await store.lead("leader", 600.0)).leadership
    assert leadership is not None
    row = ShardRow("counter", shard_of("c-17"), "host", 1)
    await store.write_map(leadership, [row])
    writes = await TurnWrites.open(database_address)
    async with (
        connect_database(database_address, pool_size=2) as database,
        open_redis(servers.redis.address()) as redis,
        redis.pubsub() as subscriber,
    ):
        await subscriber.subscribe("test:milestones")
        await subscriber.get_message(timeout=60)
        await database.pool.execute("CREATE TABLE counters (id text PRIMARY KEY, total integer NOT NULL)")
        await database.pool.execute("INSERT INTO counters VALUES ('c-17', 40)")
        context = kind_context(names["CounterPolicy"](milestone=42), database=database, redis=redis)
        counters = Counters(names, store, writes, context)
        counters.own(row)
        assert await counters.ask("c-17", ["add", 1]) == (DONE, 41)
        assert (await counters.ask("c-17", ["add", -1]))[0] == Refused.status
        assert await counters.ask("c-17", ["heard"]) == (DONE, 0)
        assert await counters.ask("c-17", ["add", 1]) == (DONE, 42)
        assert await database.pool.fetchval("SELECT total FROM counters") == 42
        assert await counters.ask("c-17", ["heard"]) == (DONE, 1)
        announced = await subscriber.get_message(ignore_subscribe_messages=True, timeout=60)
        assert announced is not None
        assert announced["data"] == b"42"
        await counters.close()
    await writes.close()
    await store.close()


def test_a_policy_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="policy of kind 'counter' is a CounterPolicy"):
        example()["KIND"].checked(None)
