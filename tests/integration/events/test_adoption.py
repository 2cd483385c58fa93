"""A rolling update from the log of former versions: what is left there is handled, once."""

from __future__ import annotations

from typing import Any

from cluster.events.adoption import adopt_old_log
from cluster.events.consumer import Consumer, each
from cluster.events.dead_letters import dead_letters
from cluster.events.event import Event
from cluster.events.redis_log import RedisEventLog
from cluster.events.worker import drain_events
from cluster.postgres import Database
from cluster.redis import Redis
from tests.integration.events.conftest import THINGS, event, record, seen

CONSUMER = Consumer("recorder", THINGS, each(record))

_RELAYED = """
insert into relayed_events (event_id, type, key, payload, traceparent, occurred_at) values ($1, $2, $3, $4, $5, $6)
"""


async def relayed(database: Database, redis: Redis, one: Event, *, table: bool = True) -> Any:
    """What the old relay did."""
    if table:
        await database.pool.execute(_RELAYED, one.id, one.type, one.key, one.payload, one.traceparent, one.occurred_at)
    return await redis.xadd("test:events", {"event": one.encode()})


async def adopt(database: Database, redis: Redis, log: RedisEventLog) -> None:
    async with database.pool.acquire() as connection:
        await adopt_old_log(connection, redis, "test", [CONSUMER])
    await drain_events([CONSUMER], database, log)


async def test_what_nobody_has_done_is_done_once(database: Database, redis: Redis, log: RedisEventLog) -> None:
    done, open_, other = event(1), event(2), event(3, type="things.broken")
    for one in (done, open_, other):
        await relayed(database, redis, one)
    await database.pool.execute("insert into processed_events (consumer, event_id) values ('recorder', $1)", done.id)
    await adopt(database, redis, log)
    assert await seen(database) == [2]
    claimed = await database.pool.fetchval("select count(*) from processed_events where event_id = $1", open_.id)
    assert claimed == 1, "an old consumer that meets it later passes it"
    await relayed(database, redis, event(4))  # an old relay worked once more
    await adopt(database, redis, log)
    assert await seen(database) == [2, 4]


async def test_older_events_that_only_the_old_stream_has(database: Database, redis: Redis, log: RedisEventLog) -> None:
    await redis.xgroup_create("test:events", "recorder", id="0", mkstream=True)
    read, pending, unread = event(1, "key"), event(2, "key"), event(3, "key")
    for one in (read, pending):
        await relayed(database, redis, one, table=False)
    taken: Any = await redis.xreadgroup("recorder", "old", {"test:events": ">"}, count=2)
    await redis.xack("test:events", "recorder", taken[0][1][0][0])
    await relayed(database, redis, unread)
    await adopt(database, redis, log)
    assert await seen(database) == [2, 3]
    assert await redis.ttl("test:events") > 0


async def test_old_dead_letters_are_kept(database: Database, redis: Redis, log: RedisEventLog) -> None:
    one = event(1)
    fields: dict[Any, Any] = {"event": one.encode(), "group": "recorder", "reason": "ValueError: x", "attempts": 8}
    await redis.xadd("test:events:dead", fields)
    await adopt(database, redis, log)
    [letter] = await dead_letters(database)
    assert (letter.consumer, letter.reason, letter.attempts, letter.event) == ("recorder", "ValueError: x", 8, one)
    assert await redis.xlen("test:events:dead") == 0
