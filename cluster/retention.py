"""How long the platform's own records are kept, and who deletes them after that."""

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
_PAUSE_S = 600.0

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """Rows of a table are kept for `age`, counted from the time in `column`."""

    table: str
    column: str
    age: timedelta


KEPT = (
    # A client that has not repeated a request by then never will.
    Kept("idempotency_keys", "created_at", timedelta(days=1)),
    # Written by former versions only; read when their log is adopted (cluster/events/adoption.py).
    Kept("processed_events", "processed_at", timedelta(days=30)),
)


async def sweep(database: Database, now: datetime) -> int:
    """Delete what was kept long enough, in short transactions; returns how many rows. Whoever comes while another
    process sweeps does nothing."""
    return sum([await _sweep(database, kept, now) for kept in KEPT])


async def _sweep(database: Database, kept: Kept, now: datetime) -> int:
    # The names are this module's own.
    rows = f"select ctid from {kept.table} where {kept.column} < $1::timestamptz - $2::interval limit {_BATCH}"
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
    """Sweep every ten minutes until cancelled; survives outages of Postgres."""
    while True:
        try:
            await sweep(database, datetime.now().astimezone())
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            log.warning("sweep interrupted", error=type(error).__name__)
        await asyncio.sleep(_PAUSE_S)
