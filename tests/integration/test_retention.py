"""What the frame writes for itself goes once it has been kept long enough."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from cluster.postgres import Database, connect_database
from cluster.retention import sweep
from cluster.tables import PLATFORM_TABLES

NOW = datetime.now(UTC)
NAMES = [table.name for table in PLATFORM_TABLES if table.expiry]


@pytest.fixture
async def database(database_address: str) -> AsyncIterator[Database]:
    async with connect_database(database_address) as database:
        yield database


_FILL = (
    "insert into idempotency_keys (scope, key, fingerprint, created_at) select 'me', n::text, '', $1 from ",
    "insert into processed_events (consumer, event_id, processed_at) select 'c', gen_random_uuid(), $1 from ",
)


async def _fill(database: Database, age: timedelta, first: int, last: int) -> None:
    for statement in _FILL:
        await database.pool.execute(f"{statement} generate_series({first}, {last}) as n", NOW - age)


async def _left(database: Database) -> dict[str, int]:
    return {name: await database.pool.fetchval(f"select count(*) from {name}") for name in NAMES}


async def test_old_rows_go_and_young_ones_stay(database: Database) -> None:
    await _fill(database, timedelta(days=31), 1, 5_003)
    await _fill(database, timedelta(minutes=59), 10_001, 10_002)
    assert await sweep(database, PLATFORM_TABLES, NOW) == 2 * 5_003
    assert set((await _left(database)).values()) == {2}


async def test_each_kind_has_its_age(database: Database) -> None:
    await _fill(database, timedelta(hours=23), 1, 1)
    await _fill(database, timedelta(hours=21), 2, 2)
    await sweep(database, PLATFORM_TABLES, NOW)
    assert await _left(database) == {"idempotency_keys": 2, "processed_events": 2}
    await sweep(database, PLATFORM_TABLES, NOW + timedelta(days=2))
    assert await _left(database) == {"idempotency_keys": 0, "processed_events": 2}


async def test_while_somebody_sweeps_others_do_not(database: Database) -> None:
    await _fill(database, timedelta(days=31), 1, 3)
    async with database.unit_of_work() as uow:
        await uow.execute("select pg_advisory_xact_lock(7203102)")
        assert await sweep(database, PLATFORM_TABLES, NOW) == 0
    assert await sweep(database, PLATFORM_TABLES, NOW) == 6
