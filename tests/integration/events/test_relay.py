"""From the outbox to the log: in order, and again whatever the log has lost."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from cluster.events.event import Event
from cluster.events.log import PARTITIONS, LogUnavailable, partitions_of
from cluster.events.redis_log import RedisEventLog
from cluster.events.relay import LOCK, Relay, relay_once, run_relay
from cluster.postgres import Database
from cluster.redis import Redis, open_redis
from tests.integration.events.conftest import event, publish


async def in_log(log: RedisEventLog) -> list[Event]:
    """In the order of their positions."""
    fetched = await log.read(dict.fromkeys(partitions_of({"things"}), 0), count=5000)
    records = [record for records in fetched.records.values() for record in records]
    return [record.event for record in sorted(records, key=lambda record: record.position)]


async def test_rolled_back_work_publishes_nothing(database: Database, log: RedisEventLog) -> None:
    async with database.unit_of_work() as uow:
        uow.publish(event())
    assert await relay_once(database, log) == 0


async def test_events_arrive_in_order_and_once(database: Database, log: RedisEventLog) -> None:
    published = [event(n) for n in range(1200)]
    await publish(database, *published)
    assert await relay_once(database, log) == 1200
    assert await relay_once(database, log) == 0
    assert await in_log(log) == published


async def test_a_key_has_one_partition(database: Database, log: RedisEventLog) -> None:
    await publish(database, *(event(n, key=f"key-{n % 40}") for n in range(400)))
    await relay_once(database, log)
    fetched = await log.read(dict.fromkeys(partitions_of({"things"}), 0), count=5000)
    keys = [{record.event.key for record in records} for records in fetched.records.values()]
    assert len(keys) > PARTITIONS // 2
    assert sum(map(len, keys)) == 40


async def test_every_event_has_a_trace(database: Database, log: RedisEventLog) -> None:
    await publish(database, event())
    await database.pool.execute("update outbox set traceparent = null")  # as a former version may write it
    await relay_once(database, log)
    [found] = await in_log(log)
    assert UUID(found.traceparent.split("-")[1])


async def test_events_wait_while_the_log_is_away(database: Database, log: RedisEventLog) -> None:
    one, two = event(1), event(2)
    await publish(database, one)
    gone = RedisEventLog(open_redis("redis://127.0.0.1:1/0", timeout_s=0.2), "test")
    with pytest.raises(LogUnavailable):
        await relay_once(database, gone)
    await publish(database, two)
    await relay_once(database, log)
    assert await in_log(log) == [one, two]


async def test_an_event_taken_while_the_log_went_away_is_not_lost(database: Database, log: RedisEventLog) -> None:
    """It has left the outbox and is not in the log."""
    async with database.pool.acquire() as connection:
        relay = Relay(connection, log)
        await relay.check()
        one = event()
        await publish(database, one)
        relay._log = RedisEventLog(open_redis("redis://127.0.0.1:1/0", timeout_s=0.2), "test")
        with pytest.raises(LogUnavailable):
            await relay.move()
        relay._log = log
        await relay.move()
    assert await in_log(log) == [one]


async def test_two_relays_move_each_event_once(database: Database, log: RedisEventLog) -> None:
    await publish(database, *[event() for _ in range(50)])
    moved = await asyncio.gather(*(relay_once(database, log) for _ in range(4)))
    assert sum(moved) == 50
    assert len(await in_log(log)) == 50


async def test_a_log_that_lost_everything_gets_it_again(database: Database, log: RedisEventLog, redis: Redis) -> None:
    lost, later = [event() for _ in range(3)], event()
    await publish(database, *lost)
    await relay_once(database, log)
    await redis.flushdb()
    await publish(database, later)
    await relay_once(database, log)
    assert await in_log(log) == [*lost, later]


async def test_a_relay_at_work_restores_a_log_that_lost_everything(
    database: Database, log: RedisEventLog, redis: Redis
) -> None:
    lost, later = [event() for _ in range(3)], event()
    async with database.pool.acquire() as connection:
        relay = Relay(connection, log)
        await publish(database, *lost)
        await relay.move()
        await redis.flushdb()
        await relay.check()
        assert await in_log(log) == lost
        await redis.flushdb()
        await publish(database, later)
        await relay.move()
    assert await in_log(log) == [*lost, later]


async def test_a_log_that_lost_its_end_gets_that_again(database: Database, log: RedisEventLog, redis: Redis) -> None:
    """What a crash leaves of an append-only file: streams and position, both as they were a moment before."""
    old, lost = event(), [event() for _ in range(3)]
    await publish(database, old)
    await relay_once(database, log)
    keys = sorted(await redis.keys())
    before = [await redis.dump(key) for key in keys]
    await publish(database, *lost)
    await relay_once(database, log)
    await redis.flushdb()
    for key, value in zip(keys, before, strict=True):
        assert value is not None
        await redis.restore(key, 0, value)
    await relay_once(database, log)
    assert await in_log(log) == [old, *lost]


async def test_positions_are_not_given_out_twice_after_postgres_went_back(
    database: Database, log: RedisEventLog
) -> None:
    old, new = [event() for _ in range(3)], event()
    await publish(database, *old)
    await relay_once(database, log)
    await database.pool.execute("update event_log_head set position = 1")
    await database.pool.execute("delete from event_log where position > 1")
    await publish(database, new)
    await relay_once(database, log)
    assert await in_log(log) == [*old, new]


async def test_a_commit_wakes_the_relay(
    database: Database, log: RedisEventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.events.relay._POLL_S", 3600)
    relay = asyncio.create_task(run_relay(database, log))
    try:
        async with asyncio.timeout(60):
            while not await database.pool.fetchval("select count(*) from pg_locks where objid = $1", LOCK):
                await asyncio.sleep(0.01)
            for n in range(3):
                await publish(database, event(n))
                while len(await in_log(log)) <= n:
                    await asyncio.sleep(0.01)
    finally:
        relay.cancel()
        await asyncio.gather(relay, return_exceptions=True)
