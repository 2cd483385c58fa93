"""Nothing unread is trimmed; what is old and finished goes; the alarm comes first."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cluster.alarms import Alarm, raise_alarms, raised
from cluster.events.consumer import Consumer, each
from cluster.events.log import partitions_of
from cluster.events.redis_log import RedisEventLog
from cluster.events.relay import relay_once
from cluster.events.space import measure
from cluster.events.trimming import trim, watch
from cluster.events.worker import Worker, drain_events
from cluster.postgres import Database
from cluster.redis import Redis
from tests.integration.events.conftest import THINGS, event, publish, record, seen

FAST, SLOW = (Consumer(name, THINGS, each(record)) for name in ("fast", "slow"))


async def in_log(log: RedisEventLog) -> int:
    fetched = await log.read(dict.fromkeys(partitions_of({"things"}), 0), count=10_000)
    return sum(map(len, fetched.records.values()))


async def test_the_slowest_consumer_keeps_events(database: Database, log: RedisEventLog) -> None:
    await drain_events([FAST, SLOW], database, log)
    await publish(database, *(event(n) for n in range(8_000)))
    await drain_events([FAST], database, log)
    later = datetime.now(UTC) + timedelta(days=2)
    await trim(database, log, later)
    assert await in_log(log) == await database.pool.fetchval("select count(*) from event_log") == 8_000
    await database.pool.execute("truncate seen")
    await drain_events([SLOW], database, log)
    assert sorted(await seen(database)) == list(range(8_000))
    await trim(database, log, datetime.now(UTC))
    assert await in_log(log) == 8_000, "finished, but young enough to be wanted again"
    await trim(database, log, later)
    assert await in_log(log) < 8_000
    assert await database.pool.fetchval("select count(*) from event_log") == 0


async def test_a_consumer_that_exists_no_longer_keeps_nothing(database: Database, log: RedisEventLog) -> None:
    await drain_events([FAST, SLOW], database, log)
    await publish(database, *(event(n) for n in range(10)))
    await drain_events([FAST], database, log)
    await database.pool.execute("update event_consumers set active_at = '2026-01-01' where consumer = 'slow'")
    await trim(database, log, datetime.now(UTC) + timedelta(days=2))
    assert await database.pool.fetchval("select count(*) from event_log") == 0


async def test_alarms(database: Database, log: RedisEventLog) -> None:
    now = datetime.now(UTC)
    await Worker([FAST], database, log).declare()
    await publish(database, replace(event(), occurred_at=now - timedelta(hours=2)))
    await relay_once(database, log)
    assert await watch(database, log, ["fast"], now) == {Alarm.CONSUMER_BEHIND}
    await drain_events([FAST], database, log)
    assert await watch(database, log, ["fast"], now) == set()


async def test_alarms_before_the_disk_of_postgres_is_full(database: Database, log: RedisEventLog) -> None:
    now = datetime.now(UTC)
    await Worker([FAST], database, log).declare()
    await publish(database, *(replace(event(n), occurred_at=now - timedelta(minutes=6)) for n in range(100)))
    space = await measure(database)
    assert space.tables["outbox"] > 100 * 100
    assert space.databases > sum(space.tables.values())

    fits, full = 20 * space.databases, space.databases
    assert await watch(database, log, ["fast"], now, disk_bytes=fits) == set()
    assert await watch(database, log, ["fast"], now, disk_bytes=full) == {Alarm.DATABASE_FILLS_UP}
    small = sum(space.tables.values())
    both = {Alarm.DATABASE_FILLS_UP, Alarm.EVENTS_PILE_UP}
    assert await watch(database, log, ["fast"], now, disk_bytes=small) == both, "in the outbox"
    await relay_once(database, log)
    assert await watch(database, log, ["fast"], now, disk_bytes=small) == both, "in the log"
    await drain_events([FAST], database, log)
    assert await watch(database, log, ["fast"], now, disk_bytes=small) == {Alarm.DATABASE_FILLS_UP}


async def test_every_process_can_say_which_alarms_there_are(redis: Redis) -> None:
    assert await raised(redis, "test") == []
    await raise_alarms(redis, "test", {Alarm.LOG_FILLS_UP, Alarm.CONSUMER_BEHIND})
    assert await raised(redis, "test") == [Alarm.CONSUMER_BEHIND, Alarm.LOG_FILLS_UP]
    await redis.set("test:alarms", '["of a later version", "log_fills_up"]')
    assert await raised(redis, "test") == [Alarm.LOG_FILLS_UP]
    await raise_alarms(redis, "test", set())
    assert await raised(redis, "test") == []
