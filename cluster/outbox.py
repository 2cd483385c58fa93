"""The relay: moves what transactions wrote to the outbox on to the event log, at least once, in order.

One relay works at a time per brand: it holds a Postgres advisory lock for as long as its connection lives.
"""

import asyncio
from datetime import datetime

import asyncpg

from cluster.event_log import Event, EventLog
from cluster.logs import logger
from cluster.metrics import Counter, Gauge
from cluster.postgres import Database
from cluster.redis import RedisError

RELAYED = Counter("entativa_outbox_relayed_total", "Events moved from the outbox to the event log", ["brand"])
WAITING = Gauge(
    "entativa_outbox_waiting_seconds",
    "Age of the event relayed last",
    ["brand"],
    multiprocess_mode="livemostrecent",
)

_LOCK = 7_203_101
_BATCH = 500
_PAUSE_S = 0.05
"""Pause after an empty look; a look costs one indexed query on an empty table. NOTIFY would serialise all commits."""

_TAKE = f"""
with taken as (select id from outbox order by id limit {_BATCH} for update)
delete from outbox using taken where outbox.id = taken.id
returning outbox.id, event_id, type, key, payload, traceparent, occurred_at
"""

log = logger(__name__)


async def relay_batch(database: Database, event_log: EventLog, now: datetime) -> int:
    """Move one batch; returns how many. The rows go only once Redis has the events, so a crash repeats, never loses."""
    async with database.unit_of_work() as uow:
        rows = sorted(await uow.fetch(_TAKE), key=lambda row: int(row["id"]))
        if rows:
            await event_log.append(
                [
                    Event(
                        row["event_id"],
                        row["type"],
                        row["key"],
                        row["payload"],
                        row["occurred_at"],
                        row["traceparent"],
                    )
                    for row in rows
                ]
            )
            await uow.commit()
            brand = event_log.stream.partition(":")[0]
            RELAYED.labels(brand).inc(len(rows))
            WAITING.labels(brand).set(max(0.0, (now - rows[0]["occurred_at"]).total_seconds()))
        return len(rows)


async def run_relay(database: Database, event_log: EventLog) -> None:
    """Relay until cancelled. Waits while another process holds the lock; survives outages of Postgres and Redis."""
    while True:
        try:
            async with database.pool.acquire() as guard:
                while not await guard.fetchval("select pg_try_advisory_lock($1)", _LOCK):  # noqa: ASYNC110 - another process
                    await asyncio.sleep(1)
                try:
                    while not guard.is_closed():
                        if await relay_batch(database, event_log, datetime.now().astimezone()) == 0:
                            await asyncio.sleep(_PAUSE_S)
                finally:
                    if not guard.is_closed():
                        await guard.fetchval("select pg_advisory_unlock($1)", _LOCK)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, RedisError, OSError) as error:
            log.warning("relay interrupted", error=type(error).__name__)
            await asyncio.sleep(1)
