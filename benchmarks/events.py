"""The event log, from the outbox to the effects of six consumers, on private Postgres (fsync on) and Redis servers.

`events.per_s` counts effects: six consumers write a row for each event, in batches; the baseline is the same with one
event per transaction, in turns. `events.lag_ms` is the time from an event's commit until its effect is committed, at
500 events a second in all, each publishing transaction of its own.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

from benchmarks.figure import Figure, percentiles, quantile
from benchmarks.size import sized

if TYPE_CHECKING:
    from cluster.events.consumer import Consumer
    from cluster.events.event import Event
    from cluster.events.redis_log import RedisEventLog
    from cluster.postgres import Database, UnitOfWork

FIGURES = ("events.per_s", "events.lag_ms")

EVENTS, BASELINE_EVENTS, TURNS = sized(30_000, 2_000), sized(1_000, 100), sized(3, 1)
CONSUMERS, KEYS = 6, 1_000
RATE, SECONDS = 500, sized(20, 1)
_DEADLINE_S = 600


def run(wanted: Callable[[str], bool]) -> Iterator[Figure]:
    """Measure what is wanted. Raises TimeoutError after ten minutes."""
    if wanted("events.per_s"):
        yield asyncio.run(asyncio.wait_for(_per_second(), _DEADLINE_S))
    if wanted("events.lag_ms"):
        yield asyncio.run(asyncio.wait_for(_lag(), _DEADLINE_S))


@asynccontextmanager
async def _storage() -> AsyncIterator[tuple[Database, RedisEventLog]]:
    import asyncpg

    from cluster.events.redis_log import open_redis_log
    from cluster.local.processes import Processes, free_port
    from cluster.local.services import PostgresServer, RedisServer
    from cluster.migrate import migrate
    from cluster.postgres import connect_database
    from cluster.redis import open_redis

    with tempfile.TemporaryDirectory(prefix="entativa-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        processes, password = Processes(Path(folder)), token_hex(8)
        postgres = PostgresServer(processes, free_port(), password)
        redis_server = RedisServer(processes, free_port(), password)
        try:
            postgres.start()
            redis_server.start()
            admin = await asyncpg.connect(postgres.address("postgres"))
            await admin.execute("create database bench")
            await admin.close()
            await migrate(postgres.address("bench"))
            redis = open_redis(redis_server.address(), timeout_s=10)
            async with (
                connect_database(postgres.address("bench"), pool_size=16) as database,
                open_redis_log(redis, redis_server.address(), "bench") as log,
            ):
                await database.pool.execute("create table effects (consumer text, n int, at float8)")
                yield database, log
            await redis.aclose()
        finally:
            redis_server.stop()
            postgres.stop()
            processes.sweep()


def _consumers(noted: list[float] | None = None) -> list[Consumer]:
    from cluster.events.consumer import Consumer

    def consumer(name: str) -> Consumer:
        async def handle(uow: UnitOfWork, events: Sequence[Event]) -> None:
            numbers = [event.payload["n"] for event in events]
            await uow.execute("insert into effects (consumer, n) select $1, unnest($2::int[])", name, numbers)
            if noted is not None:
                committed = [event.payload["at"] for event in events]

                async def note() -> None:
                    now = time.time()
                    noted.extend(1000 * (now - at) for at in committed)

                uow.after_commit(note)

        return Consumer(name, frozenset({"things.made"}), handle)

    return [consumer(f"consumer-{number}") for number in range(CONSUMERS)]


async def _publish(database: Database, begin: int, count: int) -> None:
    from cluster.events.event import Event

    now = datetime.now(UTC)
    async with database.unit_of_work() as uow:
        for n in range(begin, begin + count):
            uow.publish(Event.now("things.made", f"key-{n % KEYS}", {"n": n, "at": time.time()}, now=now))
        await uow.commit()


async def _seconds(database: Database, log: RedisEventLog, events: int, batch: int) -> float:
    """How long consumers take that find so many events in the log. Raises RuntimeError unless each effect happened
    once."""
    from cluster.events.relay import relay_once
    from cluster.events.worker import Worker

    await database.pool.execute("truncate effects")
    worker = Worker(_consumers(), database, log, batch=batch)
    await worker.declare()
    for begin in range(0, events, 1_000):
        await _publish(database, begin, min(1_000, events - begin))
    await relay_once(database, log)
    wanted, begin_at = events * CONSUMERS, time.perf_counter()
    running = asyncio.create_task(worker.run())
    while await database.pool.fetchval("select count(*) from effects") < wanted:
        await asyncio.sleep(0.05)
    seconds = time.perf_counter() - begin_at
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    if await database.pool.fetchval("select count(distinct (consumer, n)) from effects") != wanted:
        raise RuntimeError("an effect happened twice")
    return seconds


async def _per_second() -> Figure:
    async with _storage() as (database, log):
        alone = batches = 0.0
        for _ in range(TURNS):
            alone += await _seconds(database, log, BASELINE_EVENTS, 1)
            batches += await _seconds(database, log, EVENTS, 200)
    effects = TURNS * CONSUMERS
    return Figure(
        "events.per_s",
        effects * EVENTS / batches,
        "1/s",
        "one event per transaction",
        effects * BASELINE_EVENTS / alone,
        extra={"consumers": CONSUMERS, "events": TURNS * EVENTS},
    )


async def _lag() -> Figure:
    from cluster.events.worker import Worker

    noted: list[float] = []
    async with _storage() as (database, log):
        running = asyncio.create_task(Worker(_consumers(noted), database, log).run_with_relay())
        await asyncio.sleep(5)
        begin = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as group:
            for number in range(RATE * SECONDS):
                await asyncio.sleep(max(0.0, begin + number / RATE - asyncio.get_running_loop().time()))
                group.create_task(_publish(database, number, 1))
        while len(noted) < RATE * SECONDS * CONSUMERS:
            await asyncio.sleep(0.05)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return Figure("events.lag_ms", quantile(noted, 0.99), "ms", samples=len(noted), extra=percentiles(noted))
