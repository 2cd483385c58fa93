"""Nothing is lost and everything happens once, whatever dies: consumers, Redis' data, Postgres' connections."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable

from cluster.events.consumer import Consumer, each
from cluster.events.event import Event
from cluster.events.redis_log import RedisEventLog
from cluster.events.worker import run_events
from cluster.postgres import Database, UnitOfWork
from cluster.redis import Redis
from cluster.storage_errors import DATABASE_ERRORS
from tests.integration.events.conftest import THINGS, event, publish
from tests.support.servers import Servers, execute

EVENTS, KEYS, CONSUMERS = 2_000, 40, 3


def _recorder(consumer: str) -> Callable[[UnitOfWork, Event], Awaitable[None]]:
    async def record(uow: UnitOfWork, event: Event) -> None:
        await uow.execute(
            "insert into seen (consumer, key, n) values ($1, $2, $3)", consumer, event.key, event.payload["n"]
        )

    return record


async def _count(database: Database) -> int:
    try:
        return int(await database.pool.fetchval("select count(*) from seen"))
    except DATABASE_ERRORS:  # its connection was one of those that were cut
        return 0


async def test_none_lost_each_effect_once_order_per_key(
    database: Database, log: RedisEventLog, redis: Redis, servers: Servers, database_address: str
) -> None:
    consumers = [Consumer(f"recorder-{n}", THINGS, each(_recorder(f"recorder-{n}"))) for n in range(CONSUMERS)]

    async def publish_all() -> None:
        for begin in range(0, EVENTS, 50):
            await publish(database, *(event(n, f"key-{n % KEYS}") for n in range(begin, begin + 50)))
            await asyncio.sleep(0.01)

    workers = [asyncio.create_task(run_events(consumers, database, log)) for _ in range(2)]
    publishing = asyncio.create_task(publish_all())
    await asyncio.sleep(0.3)
    workers[0].cancel()
    await asyncio.gather(workers[0], return_exceptions=True)
    workers.append(asyncio.create_task(run_events(consumers, database, log)))
    await asyncio.sleep(0.3)
    await redis.flushdb()
    await publishing
    cut = "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()"
    name = database_address.rsplit("/", 1)[1]
    await execute(servers.postgres.address("postgres"), cut.replace("$1", f"'{name}'"))
    async with asyncio.timeout(240):
        while await _count(database) < EVENTS * CONSUMERS:
            await asyncio.sleep(0.1)
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)

    rows = await database.pool.fetch("select consumer, key, n from seen order by number")
    assert len(rows) == EVENTS * CONSUMERS
    by_key: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for row in rows:
        by_key[(row["consumer"], row["key"])].append(row["n"])
    assert all(numbers == sorted(set(numbers)) for numbers in by_key.values())
