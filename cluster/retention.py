"""How long the frame's own records are kept, and who deletes them after that."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from cluster.logs import logger
from cluster.metrics import Counter
from cluster.postgres import Database

SWEPT = Counter("entativa_swept_rows_total", "Rows deleted because they were kept long enough", ["table"])

_LOCK = 7_203_102
_BATCH = 5_000
_PAUSE_S = 60.0

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """Rows of a table are kept for `age`, counted from the time in `column` until now, or until the newest row's."""

    table: str
    column: str
    age: timedelta
    from_newest: bool = False


KEPT = (
    # A client that has not repeated a request by then never will.
    Kept("idempotency_keys", "created_at", timedelta(days=1)),
    # What Redis may lose without anybody missing it: everything that was moved to it within this time. Counted from the
    # last move, since there is none while Redis is away.
    Kept("relayed_events", "relayed_at", timedelta(hours=1), from_newest=True),
    # Longer than an event can come again: from `relayed_events`, or from the dead letters, where people look at it.
    Kept("processed_events", "processed_at", timedelta(days=30)),
)


async def sweep(database: Database, now: datetime) -> int:
    """Delete what was kept long enough, in short transactions; returns how many rows. Whoever comes while another
    process sweeps does nothing."""
    return sum([await _sweep(database, kept, now) for kept in KEPT])


async def _sweep(database: Database, kept: Kept, now: datetime) -> int:
    # The names are this module's own.
    newest = f"(select max({kept.column}) from {kept.table})" if kept.from_newest else "$1"
    before = f"least($1::timestamptz, {newest}) - $2::interval"
    rows = f"select ctid from {kept.table} where {kept.column} < {before} limit {_BATCH}"
    statement = f"delete from {kept.table} where ctid = any(array({rows}))"
    total = 0
    while True:
        async with database.unit_of_work() as uow:
            if not await uow.fetchval("select pg_try_advisory_xact_lock($1)", _LOCK):
                return total
            count = int((await uow.execute(statement, now, kept.age)).removeprefix("DELETE "))
            await uow.commit()
        SWEPT.labels(kept.table).inc(count)
        total += count
        if count < _BATCH:
            return total


async def run_retention(database: Database) -> None:
    """Sweep every minute until cancelled; survives outages of Postgres."""
    while True:
        try:
            await sweep(database, datetime.now().astimezone())
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            log.warning("sweep interrupted", error=type(error).__name__)
        await asyncio.sleep(_PAUSE_S)
