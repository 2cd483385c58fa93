"""Outbox, relay, event log and consumers: at least once into the log, exactly once in effect."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from cluster.consumers import PROCESSED, Consumer, ConsumerRunner
from cluster.event_log import Event, EventLog
from cluster.outbox import relay_batch
from cluster.postgres import Database, UnitOfWork, connect_database
from cluster.redis import Redis, RedisError, open_redis
from cluster.trace import current_trace_id, start_trace
from tests.support.servers import Servers, execute

NOW = datetime.now(UTC)


@pytest.fixture
async def redis(servers: Servers) -> AsyncIterator[Redis]:
    client = open_redis(servers.redis.address())
    await client.flushdb()
    yield client
    await client.aclose()


@pytest.fixture
async def database(database_address: str) -> AsyncIterator[Database]:
    await execute(database_address, "create table seen (id uuid, trace text)")
    async with connect_database(database_address) as database:
        yield database


@pytest.fixture
def log(redis: Redis) -> EventLog:
    return EventLog(redis, "test")


def event(type: str = "things.made") -> Event:
    return Event.now(type, uuid4(), {"size": 3}, now=NOW)


async def publish(database: Database, *events: Event) -> None:
    async with database.unit_of_work() as uow:
        for one in events:
            uow.publish(one)
        await uow.commit()


async def seen(database: Database) -> int:
    return int(await database.pool.fetchval("select count(*) from seen"))


async def record(uow: UnitOfWork, event: Event) -> None:
    await uow.execute("insert into seen values ($1, $2)", event.id, current_trace_id())


def runner(database: Database, log: EventLog, consumer: Consumer, reader: str = "one") -> ConsumerRunner:
    return ConsumerRunner(consumer, database, log, reader)


THINGS = frozenset({"things.made"})


async def test_rolled_back_work_publishes_nothing(database: Database, log: EventLog) -> None:
    async with database.unit_of_work() as uow:
        uow.publish(event())
    assert await relay_batch(database, log, NOW) == 0


async def test_events_arrive_in_order_and_once(database: Database, log: EventLog) -> None:
    published = [event() for _ in range(5)]
    await publish(database, *published)
    assert await relay_batch(database, log, NOW) == 5
    assert await relay_batch(database, log, NOW) == 0
    await log.create_group("g")
    delivered = await log.read("g", "r", count=10, block_ms=1)
    assert [one.event for one in delivered] == published


async def test_relay_keeps_events_while_redis_is_away(database: Database, servers: Servers, log: EventLog) -> None:
    await publish(database, event())
    gone = EventLog(open_redis("redis://127.0.0.1:1/0", timeout_s=0.2), "test")
    with pytest.raises(RedisError):
        await relay_batch(database, gone, NOW)
    assert await relay_batch(database, log, NOW) == 1


async def test_repeated_event_has_one_effect(database: Database, log: EventLog) -> None:
    consumer = Consumer("recorder", THINGS, record)
    one = event()
    await log.append([one, one, event("things.broken")])
    await log.create_group("recorder")
    assert await runner(database, log, consumer).step(block_ms=1) == 3
    assert await seen(database) == 1
    assert await log.lag("recorder") == 0


async def test_trace_follows_into_the_consumer(database: Database, log: EventLog) -> None:
    traceparent = start_trace()
    await publish(database, event())
    await relay_batch(database, log, NOW)
    start_trace()  # another request meanwhile
    await log.create_group("recorder")
    await runner(database, log, Consumer("recorder", THINGS, record)).step(block_ms=1)
    assert await database.pool.fetchval("select trace from seen") == traceparent[3:35]


async def test_failing_event_is_retried_then_buried_then_revived(database: Database, log: EventLog) -> None:
    healthy = False

    async def fragile(uow: UnitOfWork, event: Event) -> None:
        await record(uow, event)
        if not healthy:
            raise ValueError("not today")

    consumer = Consumer("fragile", THINGS, fragile, max_attempts=3, retry_after_s=0.01)
    await log.append([event()])
    await log.create_group("fragile")
    buried = PROCESSED.labels("test", "fragile", "buried")
    before = buried._value.get()
    for _ in range(3):
        assert await log.lag("fragile") == 1
        await runner(database, log, consumer).step(block_ms=1)
        await asyncio.sleep(0.05)
    assert await log.lag("fragile") == 0
    assert await seen(database) == 0, "a failed attempt leaves nothing"
    assert buried._value.get() == before + 1
    [letter] = await log.read_dead_letters()
    assert (letter.group, letter.reason) == ("fragile", "ValueError: not today")
    healthy = True
    assert await log.revive_dead_letters() == 1
    await runner(database, log, consumer).step(block_ms=1)
    assert await seen(database) == 1
    assert await log.read_dead_letters() == []


async def test_events_of_a_dead_reader_are_taken_over(database: Database, log: EventLog) -> None:
    await log.append([event() for _ in range(3)])
    await log.create_group("recorder")
    assert len(await log.read("recorder", "died", count=10, block_ms=1)) == 3
    await asyncio.sleep(0.05)
    consumer = Consumer("recorder", THINGS, record, retry_after_s=0.01)
    assert await runner(database, log, consumer, "heir").step(block_ms=1) == 3
    assert await seen(database) == 3


async def test_two_relays_move_each_event_once(database: Database, log: EventLog, redis: Redis) -> None:
    await publish(database, *[event() for _ in range(50)])
    moved = await asyncio.gather(*(relay_batch(database, log, NOW) for _ in range(4)))
    assert sum(moved) == 50
    assert await redis.xlen(log.stream) == 50


async def _delivered(log: EventLog, group: str) -> list[Event]:
    await log.create_group(group)
    return [delivery.event for delivery in await log.read(group, "r", count=2000, block_ms=1)]


async def test_a_redis_that_lost_everything_gets_it_again(database: Database, log: EventLog, redis: Redis) -> None:
    lost, later = [event() for _ in range(3)], event()
    await publish(database, *lost)
    assert await relay_batch(database, log, NOW) == 3
    await redis.flushdb()
    await publish(database, later)
    while await relay_batch(database, log, NOW):
        pass
    assert await _delivered(log, "g") == [*lost, later]


async def test_a_redis_that_lost_the_last_moment_gets_that_again(
    database: Database, log: EventLog, redis: Redis
) -> None:
    """What a crash leaves of an append-only file: stream and position, both as they were a moment before."""
    old, lost = event(), [event() for _ in range(3)]
    await publish(database, old)
    await relay_batch(database, log, NOW)
    keys = sorted(await redis.keys())
    before = [await redis.dump(key) for key in keys]
    for one in lost:
        await publish(database, one)
        await relay_batch(database, log, NOW)
    for key, value in zip(keys, before, strict=True):
        assert value is not None
        await redis.restore(key, 0, value, replace=True)
    while await relay_batch(database, log, NOW):
        pass
    assert await _delivered(log, "g") == [old, *lost]


async def test_an_outage_postpones_an_event_and_never_buries_it(database: Database, log: EventLog) -> None:
    class Away(Exception):
        """What the handler needs cannot be reached."""

    away, tried = True, 0

    async def dependent(uow: UnitOfWork, event: Event) -> None:
        nonlocal tried
        tried += 1
        await record(uow, event)
        if away:
            raise Away

    consumer = Consumer("dependent", THINGS, dependent, max_attempts=2, retry_after_s=0.01, outages=(Away,))
    await log.append([event() for _ in range(20)])
    await log.create_group("dependent")
    for _ in range(4):
        assert await runner(database, log, consumer).step(block_ms=1) == 0
        await asyncio.sleep(0.05)
    assert tried == 20, "after five in a row the rest of a batch waits"
    assert (await log.lag("dependent"), await seen(database), await log.read_dead_letters()) == (20, 0, [])
    away = False
    while await log.lag("dependent"):
        await runner(database, log, consumer).step(block_ms=1)
        await asyncio.sleep(0.02)
    assert await seen(database) == 20


async def test_one_event_in_an_outage_of_its_own_stops_no_other(database: Database, log: EventLog) -> None:
    unlucky = event()

    async def dependent(uow: UnitOfWork, event: Event) -> None:
        if event.id == unlucky.id:
            raise TimeoutError
        await record(uow, event)

    consumer = Consumer("dependent", THINGS, dependent, max_attempts=2, retry_after_s=0.01, outages=(TimeoutError,))
    await log.append([unlucky, *(event() for _ in range(20))])
    await log.create_group("dependent")
    assert await runner(database, log, consumer).step(block_ms=1) == 20
    assert await log.lag("dependent") == 1


async def test_attempts_in_an_outage_do_not_count(database: Database, log: EventLog) -> None:
    errors: list[Exception] = [TimeoutError()] * 5 + [ValueError("one deadlock")]

    async def unlucky(uow: UnitOfWork, event: Event) -> None:
        if errors:
            raise errors.pop(0)
        await record(uow, event)

    consumer = Consumer("unlucky", THINGS, unlucky, max_attempts=2, retry_after_s=0.01, outages=(TimeoutError,))
    await log.append([event()])
    await log.create_group("unlucky")
    for _ in range(7):
        await runner(database, log, consumer).step(block_ms=1)
        await asyncio.sleep(0.03)
    assert (await seen(database), await log.read_dead_letters()) == (1, [])


async def test_without_postgres_nothing_is_buried(
    database: Database, log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*_: object) -> None:
        raise ConnectionRefusedError

    consumer = Consumer("recorder", THINGS, record, max_attempts=2, retry_after_s=0.01)
    await log.append([event() for _ in range(3)])
    await log.create_group("recorder")
    with monkeypatch.context() as down:
        down.setattr(UnitOfWork, "_use", refused)
        for _ in range(4):
            assert await runner(database, log, consumer).step(block_ms=1) == 0
            await asyncio.sleep(0.03)
    await runner(database, log, consumer).step(block_ms=1)
    assert (await seen(database), await log.read_dead_letters()) == (3, [])
