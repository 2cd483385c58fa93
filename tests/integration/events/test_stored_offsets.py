"""What a consumer whose handling writes nothing to Postgres stores of how far it is, and when."""

from __future__ import annotations

import asyncio

import pytest

from cluster.events import offsets
from cluster.events.consumer import Consumer, each
from cluster.events.event import Event
from cluster.events.log import PARTITIONS
from cluster.events.redis_log import RedisEventLog
from cluster.events.relay import relay_once
from cluster.events.retries import Retries
from cluster.events.runner import Runner
from cluster.events.tail import Tail
from cluster.events.trimming import lags
from cluster.events.worker import Worker, drain_events
from cluster.postgres import Database, UnitOfWork
from tests.integration.events.conftest import THINGS, event, publish, record, seen

_IN_TRANSACTION = """
select count(*) from pg_stat_activity where datname = current_database() and state = 'idle in transaction'
"""


async def test_a_consumer_without_effects_in_postgres_needs_no_transaction(
    database: Database, log: RedisEventLog
) -> None:
    handled: list[int] = []
    open_transactions = 0

    async def note(uow: UnitOfWork, event: Event) -> None:
        nonlocal open_transactions
        await uow.read("select 1")
        handled.append(event.payload["n"])
        open_transactions += await database.pool.fetchval(_IN_TRANSACTION)

    consumer = Consumer("noting", THINGS, each(note))
    await drain_events([consumer], database, log)
    await publish(database, *(event(n) for n in range(20)))
    await drain_events([consumer], database, log)
    assert sorted(handled) == list(range(20))
    assert open_transactions == 0
    assert await lags(database) == {}


async def test_batches_whose_handling_wrote_nothing_share_the_write_of_their_offsets(
    database: Database, log: RedisEventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that takes over handles again what was not stored, and nothing that was."""
    now = 0.0
    monkeypatch.setattr("cluster.events.runner.monotonic", lambda: now)

    async def write_hundreds(uow: UnitOfWork, event: Event) -> None:
        if event.payload["n"] >= 100:
            await record(uow, event)

    consumer = Consumer("writing", THINGS, each(write_hundreds))
    await drain_events([consumer], database, log)
    tail = Tail(log)
    runner = Runner(consumer, database, tail, Retries([consumer], database, log.brand), brand=log.brand)
    runner.assign(frozenset(range(PARTITIONS)))
    tail.follow((await offsets.load(database, [consumer.name], range(PARTITIONS)))[consumer.name])

    async def handle(n: int, key: str = "one") -> int:
        """Returns how many events are not finished, as far as Postgres knows."""
        await publish(database, event(n, key))
        await relay_once(database, log)
        await tail.read()
        assert await runner.step() == 1
        lag = (await lags(database)).get(consumer.name)
        return lag.events if lag else 0

    assert [await handle(n) for n in range(3)] == [1, 2, 3]
    now = 1.1
    assert [await handle(n) for n in range(3)] == [0, 1, 2]
    assert await handle(100) == 0, "what is written takes the offset with it"
    assert await handle(1) == 1
    assert await handle(101, key="two") == 1, "in another partition"
    now = 2.2
    assert await handle(102, key="two") == 0
    await drain_events([consumer], database, log)
    assert await lags(database) == {}
    assert await seen(database) == [100, 101, 102]


async def test_a_process_that_stops_leaves_nothing_to_be_handled_again(
    database: Database, log: RedisEventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.events.runner._FLUSH_S", 3600.0)
    monkeypatch.setattr("cluster.events.runner._FLUSH_HANDLED_S", 3600.0)
    handled: list[int] = []

    async def note(uow: UnitOfWork, event: Event) -> None:
        handled.append(event.payload["n"])

    consumer = Consumer("noting", THINGS, each(note))
    await drain_events([consumer], database, log)
    await publish(database, *(event(n) for n in range(20)))
    await relay_once(database, log)
    for _ in range(2):
        running = asyncio.create_task(Worker([consumer], database, log).run())
        async with asyncio.timeout(60):
            while len(handled) < 20:
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.05)  # the batch ends: nothing of that waits for I/O
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert await lags(database) == {}
    assert sorted(handled) == list(range(20))
