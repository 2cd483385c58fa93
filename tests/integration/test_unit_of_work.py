"""How a unit of work ends: when its connection is gone, and with a last write."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

import asyncpg
import pytest

from cluster.events.event import Event
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


NOTES = "create table notes (id int primary key check (id < 100))"
NOTE = "with written as (insert into notes select $1 where $1 <> 13 returning id) select count(*) from written"


class _Refused(Exception):
    pass


def _note(uow: UnitOfWork, id: int) -> None:
    uow.write_at_commit(NOTE, id, refused=_Refused())
    uow.publish(Event.now("notes.written", str(id), {}, now=datetime.now(UTC)))


async def _stored(database: Database) -> list[tuple[int, str | None]]:
    """Notes, and the keys of their events."""
    rows = await database.pool.fetch(
        "select notes.id, key from notes full join outbox on key = notes.id::text order by 1"
    )
    return [(row["id"], row["key"]) for row in rows]


async def test_the_last_write_and_its_events_are_one_statement(database_address: str) -> None:
    await execute(database_address, NOTES)
    done = []

    async def react(events: Sequence[Event]) -> None:
        done.extend([event.key for event in events])

    async with connect_database(database_address) as database:
        database.reactions.append(react)
        async with database.unit_of_work() as uow:
            await uow.read("select 1")
            _note(uow, 1)
            assert await _stored(database) == []
            await uow.commit()
            assert uow.statements == 2
        assert await _stored(database) == [(1, "1")]
        assert done == ["1"]
        async with database.unit_of_work() as uow:
            _note(uow, 2)
        assert await _stored(database) == [(1, "1")], "it was not committed"


async def test_work_after_a_commit_that_fails_stops_no_other(database_address: str) -> None:
    await execute(database_address, NOTES)
    done = []

    async def fail(*_: Sequence[Event]) -> None:
        raise ZeroDivisionError

    async def react(events: Sequence[Event]) -> None:
        done.extend([event.key for event in events])

    async def act() -> None:
        done.append("action")

    async with connect_database(database_address) as database:
        database.reactions += [fail, react]
        async with database.unit_of_work() as uow:
            _note(uow, 1)
            uow.after_commit(fail)
            uow.after_commit(act)
            await uow.commit()
        assert await _stored(database) == [(1, "1")]
    assert done == ["1", "action"]


@pytest.mark.parametrize(("id", "error"), [(13, _Refused), (100, asyncpg.CheckViolationError)])
@pytest.mark.parametrize("earlier", [False, True], ids=["alone", "after another write"])
async def test_a_last_write_that_does_not_take_place_leaves_nothing(
    database_address: str, id: int, error: type[Exception], earlier: bool
) -> None:
    await execute(database_address, NOTES)
    async with connect_database(database_address) as database:
        async with database.unit_of_work() as uow:
            if earlier:
                await uow.execute("insert into notes values (1)")
            _note(uow, id)
            with pytest.raises(error):
                await uow.commit()
        assert await _stored(database) == []


async def test_a_last_write_in_a_transaction(database_address: str) -> None:
    await execute(database_address, NOTES)
    async with connect_database(database_address) as database:
        async with database.unit_of_work() as uow:
            await uow.execute("insert into notes values (1)")
            with suppress(ZeroDivisionError):
                async with uow.savepoint():
                    _note(uow, 2)
                    raise ZeroDivisionError
            _note(uow, 3)
            await uow.commit()
        assert await _stored(database) == [(1, None), (3, "3")]


async def test_a_last_statement_belongs_to_what_was_written_before(database_address: str) -> None:
    await execute(database_address, NOTES)
    async with connect_database(database_address) as database:
        async with database.unit_of_work() as uow:
            await uow.read("select 1")
            await uow.execute_last("insert into notes values (1)")
            assert await _stored(database) == [(1, None)], "it stands alone"
        async with database.unit_of_work() as uow:
            await uow.execute("insert into notes values (2)")
            await uow.execute_last("insert into notes values (3)")
        async with database.unit_of_work() as uow:
            uow.publish(Event.now("notes.written", "4", {}, now=datetime.now(UTC)))
            await uow.execute_last("insert into notes values (4)")
        assert await _stored(database) == [(1, None)], "the others were not committed"
