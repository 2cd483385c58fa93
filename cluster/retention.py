"""Deletes the rows that have been kept as long as their table declares (cluster/tables.py)."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime

import asyncpg

from cluster.cancellation import raise_if_cancelled
from cluster.logs import logger
from cluster.metrics import Counter
from cluster.postgres import Database
from cluster.tables import Expiry, Table

SWEPT = Counter("entativa_swept_rows_total", "Rows deleted because they were kept long enough", ["table"])

_LOCK = 7_203_102
_BATCH = 5_000
_PAUSE_S = 600.0

log = logger(__name__)


async def sweep(database: Database, tables: Iterable[Table], now: datetime) -> int:
    """Delete what was kept long enough, in short transactions; returns how many rows. Whoever comes while another
    process sweeps does nothing."""
    return sum([await _sweep(database, table.name, table.expiry, now) for table in tables if table.expiry])


def sweep_statement(table: str, expiry: Expiry) -> str:
    """Returns the statement that deletes some rows. The names are constants of the code."""
    rows = f"select ctid from {table} where {expiry.column} < $1::timestamptz - $2::interval limit {_BATCH}"
    return f"delete from {table} where ctid = any(array({rows}))"


async def _sweep(database: Database, table: str, expiry: Expiry, now: datetime) -> int:
    statement = sweep_statement(table, expiry)
    total = 0
    while True:
        async with database.unit_of_work() as uow:
            if not await uow.fetchval("select pg_try_advisory_xact_lock($1)", _LOCK):
                return total
            count = int((await uow.execute(statement, now, expiry.age)).removeprefix("DELETE "))
            await uow.commit()
        SWEPT.labels(table).inc(count)
        total += count
        if count < _BATCH:
            return total


async def run_retention(database: Database, tables: Sequence[Table]) -> None:
    """Sweep every ten minutes until cancelled; survives outages of Postgres."""
    while True:
        try:
            await sweep(database, tables, datetime.now().astimezone())
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise_if_cancelled()
            log.warning("sweep interrupted", error=type(error).__name__)
        await asyncio.sleep(_PAUSE_S)
