"""How a unit of work ends when its connection is gone."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import asyncpg
import pytest

from cluster.postgres import Database, UnitOfWork, connect_database
from cluster.storage_errors import DATABASE_ERRORS
from tests.support.servers import execute


async def _cut(uow: UnitOfWork, address: str) -> None:
    """End the unit's connection and wait until its driver knows."""
    backend = await uow.fetchval("select pg_backend_pid()")
    await execute(address, f"select pg_terminate_backend({backend})")
    connection = uow._connection  # nothing public tells that the driver has noticed
    assert connection is not None
    with suppress(asyncpg.InterfaceError):  # the pool has taken it back
        async with asyncio.timeout(60):
            while not connection.is_closed():
                await asyncio.sleep(0.01)


async def _write_until_cancelled(database: Database, address: str, begun: asyncio.Event, *, nested: bool) -> None:
    async with database.unit_of_work() as uow:
        await uow.execute("select 1")
        if nested:
            async with uow.savepoint():
                await _cut(uow, address)
                begun.set()
                await asyncio.Event().wait()
        await _cut(uow, address)
        begun.set()
        await asyncio.Event().wait()


@pytest.mark.parametrize("nested", [False, True])
async def test_a_cancellation_is_not_replaced_by_the_error_of_a_lost_connection(
    database_address: str, nested: bool
) -> None:
    async with connect_database(database_address) as database:
        begun = asyncio.Event()
        writing = asyncio.create_task(_write_until_cancelled(database, database_address, begun, nested=nested))
        async with asyncio.timeout(60):
            await begun.wait()
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert await database.pool.fetchval("select 1") == 1


async def _fail_without_connection(database: Database, address: str) -> None:
    async with database.unit_of_work() as uow:
        await _cut(uow, address)
        raise ZeroDivisionError


async def test_the_error_of_the_work_is_not_replaced_either(database_address: str) -> None:
    async with connect_database(database_address) as database:
        with pytest.raises(ZeroDivisionError):
            await _fail_without_connection(database, database_address)


async def _write_without_connection(database: Database, address: str) -> None:
    async with database.unit_of_work() as uow:
        await _cut(uow, address)
        await uow.execute("select 1")


async def test_a_lost_connection_is_an_error_of_the_next_statement(database_address: str) -> None:
    async with connect_database(database_address) as database:
        with pytest.raises(DATABASE_ERRORS):
            await _write_without_connection(database, database_address)
