"""The example in the docstring of actors.runtime, run on a real Postgres."""

from __future__ import annotations

import asyncio
import textwrap
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import actors.runtime
from actors.runtime.hosting.committer import Committer
from actors.runtime.hosting.mailboxes import Mailboxes
from actors.runtime.hosting.turns import TurnRunner
from actors.runtime.shard_map import shard_of
from actors.runtime.store.rows import ShardRow
from actors.runtime.store.shard_store import ShardStore
from actors.runtime.store.turn_writes import TurnWrites
from actors.runtime.transport.frames import CALLS, DONE, pack_body, unpack_answer
from cluster.postgres import Database, UnitOfWork, connect_database


def example() -> dict[str, Any]:
    """The names that the example defines."""
    text = str(actors.runtime.__doc__)
    code = textwrap.dedent(text[text.index("    @dataclass") : text.index("Calling, from")])
    names = {name: getattr(actors.runtime, name) for name in actors.runtime.__all__}
    names |= {"dataclass": dataclass, "Database": Database, "UnitOfWork": UnitOfWork, "Sequence": Sequence}
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


async def test_the_example_counts_and_stores(database_address: str) -> None:
    names = example()
    store = await ShardStore.open(database_address, application="test")
    leadership, _ = await store.lead("leader", 600.0)
    assert leadership is not None
    row = ShardRow("counter", shard_of("c-17"), "host", 1)
    await store.write_map(leadership, [row])
    writes = await TurnWrites.open(database_address)
    async with connect_database(database_address, pool_size=2) as database:
        await database.pool.execute("CREATE TABLE totals (id text PRIMARY KEY, total integer NOT NULL)")
        await database.pool.execute("INSERT INTO totals VALUES ('c-17', 40)")
        mailboxes, origin = Mailboxes("host", lambda _kind, _shard: ""), Origin()
        handler = names["CounterEffects"](database)
        mailboxes.add_kind(TurnRunner(names["KIND"], handler, store, Committer(writes)))
        mailboxes.serve_until = time.monotonic() + 600
        shard = mailboxes.shard("counter", row.shard)
        shard.ownership.mapped(row, "host")
        shard.ownership.loaded(1)
        mailboxes.let_in(shard)
        calls = [[n, "counter", "c-17", 60_000, pack_body({"add": add})] for n, add in ((1, 1), (2, -1), (3, 1))]
        mailboxes.deliver(origin, b"caller-1", [CALLS, 1, *calls])
        async with asyncio.timeout(60):
            while len(origin.answers) < 3:
                await asyncio.sleep(0.01)
        assert origin.answers == {1: (DONE, 41), 2: (11, ["negative", "counters only grow"]), 3: (DONE, 42)}
        assert await database.pool.fetchval("SELECT total FROM totals") == 42
        await mailboxes.close()
    await writes.close()
    await store.close()
