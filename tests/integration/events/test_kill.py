"""Nothing is lost and everything happens once, whatever dies: consumers, Redis' data, Postgres itself."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from cluster.postgres import Database
from cluster.redis import Redis
from cluster.storage_errors import DATABASE_ERRORS
from tests.integration.events.conftest import event, publish
from tests.integration.events.consume import CONSUMERS
from tests.support.servers import Servers

EVENTS, KEYS, AT_ONCE = 100_000, 400, 500

_WRONG = """
select count(*) from (
    select n <= lag(n) over (partition by consumer, key order by number) as wrong from seen
) as steps where wrong
"""
"""Effects that came before or together with one of an earlier event of their key."""


async def _count(database: Database) -> int:
    try:
        return int(await database.pool.fetchval("select count(*) from seen"))
    except DATABASE_ERRORS:  # Postgres is down
        return 0


async def _reaches(database: Database, effects: int) -> None:
    while await _count(database) < effects:
        await asyncio.sleep(0.1)


async def _publish_all(database: Database) -> None:
    for begin in range(0, EVENTS, AT_ONCE):
        events = [event(n, f"key-{n % KEYS}") for n in range(begin, begin + AT_ONCE)]
        await publish(database, *events)


@asynccontextmanager
async def _process(servers: Servers, database_address: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.integration.events.consume", database_address, servers.redis.address()),
        cwd=os.getcwd(),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.timeout(600)
async def test_none_lost_each_effect_once_order_per_key(
    database: Database, redis: Redis, servers: Servers, database_address: str
) -> None:
    async with (
        asyncio.timeout(540),
        _process(servers, database_address) as first,
        _process(servers, database_address) as second,
    ):
        while await database.pool.fetchval("select count(*) from event_consumers") < len(CONSUMERS):
            await asyncio.sleep(0.05)
        await _publish_all(database)
        await _reaches(database, EVENTS // 10)
        first.kill()
        async with _process(servers, database_address) as third:
            await _reaches(database, EVENTS // 2)
            await redis.flushdb()
            await _reaches(database, EVENTS)
            await asyncio.to_thread(servers.postgres.stop)
            await asyncio.to_thread(servers.postgres.start)
            await _reaches(database, EVENTS * 5 // 4)
            assert (second.returncode, third.returncode) == (None, None), "consumers wait while Postgres is down"
            second.kill()
            await _reaches(database, EVENTS * len(CONSUMERS))
    async with asyncio.timeout(60):
        assert await database.pool.fetchval("select count(*) from seen") == EVENTS * len(CONSUMERS)
        assert await database.pool.fetchval("select count(distinct (consumer, key, n)) from seen") == EVENTS * 2
        assert await database.pool.fetchval(_WRONG) == 0
