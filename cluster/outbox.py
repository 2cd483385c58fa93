"""The relay: moves what transactions wrote to the outbox on to the event log, at least once, in order.

One relay works at a time per brand: it holds a Postgres advisory lock for as long as its connection lives. What was
moved is kept in `relayed_events` for a while (cluster/retention.py), each event at its position; Redis remembers the
position of the last event it has. A Redis that has lost events (a crash takes up to a second, an empty one has lost
all) names an earlier position, and gets what came after it again.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg

from cluster.event_log import Event, EventLog
from cluster.logs import logger
from cluster.metrics import Counter, Gauge
from cluster.postgres import Database
from cluster.redis import RedisError

RELAYED = Counter("entativa_outbox_relayed_total", "Events moved from the outbox to the event log", ["brand"])
REPEATED = Counter("entativa_outbox_repeated_total", "Events moved again because Redis had lost them", ["brand"])
WAITING = Gauge(
    "entativa_outbox_waiting_seconds",
    "Age of the event relayed last",
    ["brand"],
    multiprocess_mode="livemostrecent",
)

_LOCK = 7_203_101
_BATCH = 500
_PAUSE_S = 0.05
"""Pause after an empty look; a look costs 0.2 ms. NOTIFY would serialise all commits."""

_COLUMNS = "event_id, type, key, payload, traceparent, occurred_at"

_LOOK = """
select (select min(id) from outbox) is not null as waiting,
    coalesce((select max(position) from relayed_events), 0) as position
"""

_TAKE = f"""
with taken as (
    delete from outbox where id in (select id from outbox order by id limit {_BATCH} for update) returning *
)
insert into relayed_events ({_COLUMNS}) select {_COLUMNS} from taken order by id returning position, {_COLUMNS}
"""

_AFTER = f"select position, {_COLUMNS} from relayed_events where position > $1 order by position limit {_BATCH}"

log = logger(__name__)


async def relay_batch(database: Database, event_log: EventLog, now: datetime) -> int:
    """Move one batch; returns how many events. A row leaves the outbox only once Redis has the event, so a crash
    repeats, never loses."""
    reached = await event_log.position()
    async with database.unit_of_work(read_only=True) as uow:
        look = await uow.fetchrow(_LOOK)
        assert look is not None
        lost = await uow.fetch(_AFTER, reached) if look["position"] > reached else []
    if lost:
        return await _repeat(event_log, reached, lost)
    return await _take(database, event_log, reached, now) if look["waiting"] else 0


async def _take(database: Database, event_log: EventLog, reached: int, now: datetime) -> int:
    async with database.unit_of_work() as uow:
        rows = sorted(await uow.fetch(_TAKE), key=_position)
        if not rows or not await event_log.extend(_events(rows), after=reached, position=_position(rows[-1])):
            return 0
        await uow.commit()
    brand = event_log.brand
    RELAYED.labels(brand).inc(len(rows))
    WAITING.labels(brand).set(max(0.0, (now - rows[0]["occurred_at"]).total_seconds()))
    return len(rows)


async def _repeat(event_log: EventLog, reached: int, rows: Sequence[asyncpg.Record]) -> int:
    if not await event_log.extend(_events(rows), after=reached, position=_position(rows[-1])):
        return 0
    REPEATED.labels(event_log.brand).inc(len(rows))
    log.warning("events moved again", brand=event_log.brand, count=len(rows))
    return len(rows)


def _position(row: Any) -> int:
    return int(row["position"])


def _events(rows: Sequence[asyncpg.Record]) -> list[Event]:
    return [
        Event(row["event_id"], row["type"], row["key"], row["payload"], row["occurred_at"], row["traceparent"])
        for row in rows
    ]


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
