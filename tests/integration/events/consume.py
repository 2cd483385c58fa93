"""Relays and consumes until killed: ``python -m tests.integration.events.consume POSTGRES REDIS`` (addresses)."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence

from cluster.events.consumer import Consumer
from cluster.events.event import Event
from cluster.events.redis_log import open_redis_log
from cluster.events.worker import Worker
from cluster.postgres import UnitOfWork, connect_database
from cluster.redis import open_redis
from tests.integration.events.conftest import THINGS

CONSUMERS = ("recorder-0", "recorder-1")


def _recorder(consumer: str) -> Callable[[UnitOfWork, Sequence[Event]], Awaitable[None]]:
    async def record(uow: UnitOfWork, events: Sequence[Event]) -> None:
        await uow.execute(
            "insert into seen (consumer, key, n) select $1, key, n"
            " from unnest($2::text[], $3::int[]) with ordinality as event(key, n, place) order by place",
            consumer,
            [event.key for event in events],
            [event.payload["n"] for event in events],
        )

    return record


async def consume(database_address: str, redis_address: str) -> None:
    redis = open_redis(redis_address)
    async with (
        connect_database(database_address) as database,
        open_redis_log(redis, redis_address, "test") as log,
    ):
        consumers = [Consumer(name, THINGS, _recorder(name)) for name in CONSUMERS]
        await Worker(consumers, database, log).run_with_relay()


if __name__ == "__main__":
    asyncio.run(consume(sys.argv[1], sys.argv[2]))
