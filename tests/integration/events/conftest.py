"""A database and a log of their own for each test, and events to publish."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from cluster.events.event import Event
from cluster.events.redis_log import RedisEventLog, open_redis_log
from cluster.postgres import Database, UnitOfWork, connect_database
from cluster.redis import Redis, open_redis
from cluster.trace import current_trace_id
from tests.support.servers import Servers, execute

NOW = datetime.now(UTC)
THINGS = frozenset({"things.made"})

SEEN = "create table seen (number bigint generated always as identity, consumer text, key text, n int, trace text)"


@pytest.fixture
async def redis(servers: Servers) -> AsyncIterator[Redis]:
    client = open_redis(servers.redis.address())
    await client.flushdb()
    yield client
    await client.aclose()


@pytest.fixture
async def database(database_address: str) -> AsyncIterator[Database]:
    await execute(database_address, SEEN)
    async with connect_database(database_address) as database:
        yield database


@pytest.fixture
async def log(redis: Redis, servers: Servers) -> AsyncIterator[RedisEventLog]:
    async with open_redis_log(redis, servers.redis.address(), "test") as log:
        yield log


def event(n: int = 0, key: str | None = None, type: str = "things.made") -> Event:
    return Event.now(type, key or uuid4(), {"n": n}, now=datetime.now(UTC))


async def publish(database: Database, *events: Event) -> None:
    async with database.unit_of_work() as uow:
        for one in events:
            uow.publish(one)
        await uow.commit()


async def record(uow: UnitOfWork, event: Event) -> None:
    await uow.execute(
        "insert into seen (consumer, key, n, trace) values ('', $1, $2, $3)",
        event.key,
        event.payload["n"],
        current_trace_id(),
    )


async def seen(database: Database) -> list[int]:
    return [row["n"] for row in await database.pool.fetch("select n from seen order by number")]


async def make_due(database: Database) -> None:
    """The pauses of parked events are over."""
    await database.pool.execute("update event_retries set due_at = now()")
