"""Consumers: effects once, order per key, one failing key holds up no other."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cluster.events.consumer import Consumer, Unavailable, each
from cluster.events.dead_letters import dead_letters, requeue
from cluster.events.event import Event
from cluster.events.log import PARTITIONS
from cluster.events.redis_log import RedisEventLog
from cluster.events.relay import relay_once
from cluster.events.replay import replay
from cluster.events.runner import Outage
from cluster.events.trimming import lags
from cluster.events.worker import Worker, drain_events
from cluster.postgres import Database, UnitOfWork
from cluster.redis import Redis
from cluster.trace import start_trace
from tests.integration.events.conftest import NOW, THINGS, event, make_due, publish, record, seen

RECORDER = Consumer("recorder", THINGS, each(record))


async def drain(database: Database, log: RedisEventLog, *consumers: Consumer) -> None:
    await drain_events(consumers, database, log)


async def test_each_event_has_one_effect_and_keys_keep_their_order(database: Database, log: RedisEventLog) -> None:
    await drain(database, log, RECORDER)
    for begin in range(0, 2_000, 100):
        await publish(database, *(event(n, key=f"key-{n % 30}") for n in range(begin, begin + 100)))
    await drain(database, log, RECORDER)
    rows = await database.pool.fetch("select key, n from seen order by number")
    by_key: defaultdict[str, list[int]] = defaultdict(list)
    for row in rows:
        by_key[row["key"]].append(row["n"])
    assert sorted(row["n"] for row in rows) == list(range(2_000))
    assert all(numbers == sorted(numbers) for numbers in by_key.values())
    assert await lags(database) == {}


async def test_two_workers_that_both_believe_to_own_everything(database: Database, log: RedisEventLog) -> None:
    """Leases save work; that effects happen once does not depend on them."""
    workers = [Worker([RECORDER], database, log, batch=20) for _ in range(2)]
    await drain(database, log, RECORDER)
    await publish(database, *(event(n, key=f"key-{n % 30}") for n in range(400)))
    await relay_once(database, log)
    await asyncio.gather(*(worker.drain() for worker in workers))
    await workers[0].drain()
    assert sorted(await seen(database)) == list(range(400))


async def test_a_trace_follows_into_the_consumer(database: Database, log: RedisEventLog) -> None:
    await drain(database, log, RECORDER)
    traceparent = start_trace()
    await publish(database, event(1), event(2))
    start_trace()  # another request meanwhile
    await drain(database, log, RECORDER)
    assert await database.pool.fetchval("select array_agg(distinct trace) from seen") == [traceparent[3:35]]


async def test_a_new_consumer_begins_where_it_says(database: Database, log: RedisEventLog) -> None:
    old, new = replace(RECORDER, name="old", start="oldest"), replace(RECORDER, name="new")
    await drain(database, log, RECORDER)
    await publish(database, event(1))
    await drain(database, log, RECORDER)
    await database.pool.execute("delete from seen")
    await drain(database, log, new)
    assert await seen(database) == []
    await drain(database, log, old)
    assert await seen(database) == [1]
    await publish(database, event(2))
    await drain(database, log, old, new)
    assert await seen(database) == [1, 2, 2]


async def test_a_failing_event_holds_up_its_key_alone_and_becomes_a_dead_letter(
    database: Database, log: RedisEventLog
) -> None:
    healthy = False

    async def fragile(uow: UnitOfWork, event: Event) -> None:
        await record(uow, event)
        if event.payload["n"] == 1 and not healthy:
            raise ValueError("not today")

    consumer = Consumer("fragile", THINGS, each(fragile), max_attempts=3)
    await drain(database, log, consumer)
    await publish(database, event(1, "ill"), event(2, "well"), event(3, "ill"), event(4, "well"))
    await drain(database, log, consumer)
    await publish(database, event(5, "ill"))
    await drain(database, log, consumer)
    assert await seen(database) == [2, 4], "a failed attempt leaves nothing, and its key waits"
    assert (await lags(database))["fragile"].events == 3
    for _ in range(2):
        await make_due(database)
        await drain(database, log, consumer)
    [letter] = await dead_letters(database)
    assert (letter.consumer, letter.reason, letter.attempts) == ("fragile", "ValueError: not today", 3)
    assert await seen(database) == [2, 4, 3, 5]
    healthy = True
    assert await requeue(database, "another") == 0
    assert await requeue(database, "fragile") == 1
    await drain(database, log, consumer)
    assert await seen(database) == [2, 4, 3, 5, 1]
    assert (await dead_letters(database), await lags(database)) == ([], {})


async def test_one_event_in_an_outage_of_its_own_stops_no_other(database: Database, log: RedisEventLog) -> None:
    async def dependent(uow: UnitOfWork, event: Event) -> None:
        if event.payload["n"] == 0:
            raise TimeoutError
        await record(uow, event)

    consumer = Consumer("dependent", THINGS, each(dependent), max_attempts=1, outages=(TimeoutError,))
    await drain(database, log, consumer)
    await publish(database, *(event(n) for n in range(20)))
    await drain(database, log, consumer)
    for _ in range(3):
        await make_due(database)
        await drain(database, log, consumer)
    assert sorted(await seen(database)) == list(range(1, 20))
    assert ((await lags(database))["dependent"].events, await dead_letters(database)) == (1, [])


async def test_in_an_outage_the_consumer_waits_where_it_is(database: Database, log: RedisEventLog) -> None:
    away = False

    async def dependent(uow: UnitOfWork, event: Event) -> None:
        await record(uow, event)
        if away:
            raise TimeoutError

    consumer = Consumer("dependent", THINGS, each(dependent), max_attempts=1, outages=(TimeoutError,))
    await drain(database, log, consumer)
    away = True
    await publish(database, *(event(n) for n in range(20)))
    for _ in range(3):
        try:
            await drain(database, log, consumer)
        except Outage:
            continue
        raise AssertionError("the outage was not seen")
    assert await database.pool.fetchval("select count(*) from event_retries") == 0
    away = False
    await drain(database, log, consumer)
    assert sorted(await seen(database)) == list(range(20))


async def test_pauses_of_an_outage_outside_grow_where_each_attempt_costs_much(
    database: Database, log: RedisEventLog
) -> None:
    wait = timedelta(0)

    async def send(uow: UnitOfWork, event: Event) -> None:
        raise Unavailable("busy", wait)

    minutes = [timedelta(minutes=n) for n in range(10)]
    dear = Consumer(
        "dear",
        THINGS,
        each(send),
        outside=True,
        max_attempts=1,
        outages=(Unavailable,),
        retry_after=minutes[1],
        outage_at_most=minutes[4],
    )
    worker = Worker([dear, replace(dear, name="cheap", outage_at_most=minutes[0])], database, log)
    await worker.drain()
    await publish(database, event(1))
    await relay_once(database, log)

    async def pauses() -> dict[str, timedelta]:
        """By consumer, how long it waits now."""
        await worker.drain()
        rows = await database.pool.fetch("select consumer, due_at - now() as pause from event_retries")
        await make_due(database)
        return {row["consumer"]: row["pause"] for row in rows}

    for least in (minutes[1], minutes[2], minutes[4], minutes[4]):
        found = await pauses()
        assert least / 2 < found["dear"] <= least
        assert found["cheap"] <= minutes[1]
    wait = minutes[9]
    assert minutes[8] < (await pauses())["dear"] <= minutes[9]
    assert await dead_letters(database) == []


async def test_slow_work_outside_holds_up_nobody_and_keeps_no_transaction(
    database: Database, log: RedisEventLog
) -> None:
    slow, others = asyncio.Event(), asyncio.Event()

    async def send(uow: UnitOfWork, event: Event) -> None:
        await uow.commit()
        if event.key == "slow":
            await slow.wait()
        await record(uow, event)

    consumer = Consumer("mail", THINGS, each(send), outside=True)
    await drain(database, log, consumer)
    await publish(database, event(0, "slow"), *(event(n) for n in range(1, 40)))
    draining = asyncio.create_task(drain(database, log, consumer))
    async with asyncio.timeout(60):
        while len(await seen(database)) < 39:
            await asyncio.sleep(0.01)
    idle = "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in%'"
    assert await database.pool.fetchval(idle) == 0
    others.set()
    slow.set()
    await draining
    assert sorted(await seen(database)) == list(range(40))


async def test_a_consumer_is_sent_back_to_a_time(database: Database, log: RedisEventLog) -> None:
    other = replace(RECORDER, name="other")
    await drain(database, log, RECORDER, other)
    old = [replace(event(n), occurred_at=NOW - timedelta(hours=2)) for n in range(40)]
    await publish(database, *old)
    await publish(database, *(event(n) for n in range(40, 80)))
    await drain(database, log, RECORDER, other)
    await database.pool.execute("delete from seen")
    assert 1 <= await replay(database, log, "recorder", NOW - timedelta(hours=1)) <= PARTITIONS
    await drain(database, log, RECORDER, other)
    assert sorted(await seen(database)) == list(range(40, 80))


async def test_a_consumer_that_is_behind_misses_nothing_while_redis_is_refilled(
    database: Database, log: RedisEventLog, redis: Redis
) -> None:
    """Its events are not in Redis for a moment; that must not look as if there were none."""
    worker = Worker([RECORDER], database, log)
    await drain(database, log, RECORDER)
    await publish(database, *(event(n) for n in range(300)))
    await relay_once(database, log)
    await redis.flushdb()
    await worker.drain()
    await relay_once(database, log)
    await worker.drain()
    assert sorted(await seen(database)) == list(range(300))


async def test_partitions_assigned_anew_while_a_batch_fails_end_no_consumer(
    database: Database, log: RedisEventLog
) -> None:
    await drain(database, log, RECORDER)
    assigned = False

    async def reassigned(uow: UnitOfWork, events: Sequence[Event]) -> None:
        nonlocal assigned
        if not assigned:
            assigned = True
            await worker.assign(frozenset(range(PARTITIONS)))
            raise ValueError("the batch fails as well")
        for each_event in events:
            await record(uow, each_event)

    worker = Worker([replace(RECORDER, handle=reassigned)], database, log)
    await publish(database, *(event(n) for n in range(5)))
    await relay_once(database, log)
    await worker.drain()
    await worker.drain()
    assert sorted(await seen(database)) == list(range(5))


async def test_a_process_knows_how_far_it_is_behind(database: Database, log: RedisEventLog) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(uow: UnitOfWork, event: Event) -> None:
        begun.set()
        await go_on.wait()
        await record(uow, event)

    worker = Worker([replace(RECORDER, handle=each(slow))], database, log)
    await worker.drain()
    await publish(database, event(1))
    await relay_once(database, log)
    working = asyncio.create_task(worker.drain())
    async with asyncio.timeout(60):
        await begun.wait()
    late = datetime.now(UTC) + timedelta(seconds=30)
    loaded = worker.load(late)
    assert loaded.lag_s >= 30
    assert 0 < loaded.busy <= 1
    go_on.set()
    await working
    assert worker.load(late).lag_s == 0


async def test_only_first_attempts_outside_make_a_process_be_behind(database: Database, log: RedisEventLog) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def send(uow: UnitOfWork, event: Event) -> None:
        begun.set()
        await go_on.wait()
        raise ConnectionRefusedError

    mailer = Consumer("mailer", THINGS, each(send), outside=True, outages=(ConnectionRefusedError,))
    worker = Worker([mailer], database, log)
    await worker.drain()
    await publish(database, event(1))
    await relay_once(database, log)
    late = datetime.now(UTC) + timedelta(seconds=30)

    async def lag_while_sending() -> float:
        begun.clear()
        go_on.clear()
        working = asyncio.create_task(worker.drain())
        async with asyncio.timeout(60):
            await begun.wait()
        lag_s = worker.load(late).lag_s
        go_on.set()
        await working
        return lag_s

    assert await lag_while_sending() >= 30
    await make_due(database)
    assert await lag_while_sending() == 0, "it has been tried: the mail server is down"
