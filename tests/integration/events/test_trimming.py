"""Nothing unread is trimmed; what is old and finished goes; the alarm comes first."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cluster.events.consumer import Consumer, each
from cluster.events.log import partitions_of
from cluster.events.redis_log import RedisEventLog
from cluster.events.relay import relay_once
from cluster.events.trimming import trim, watch
from cluster.events.worker import Worker, drain_events
from cluster.postgres import Database
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
    assert await watch(database, log, ["fast"], now) == ["consumer_behind"]
    await drain_events([FAST], database, log)
    assert await watch(database, log, ["fast"], now) == []
