"""Code of the versions before runs on the present schema, since old replicas go on during an update: every statement
that it had can be prepared, takes the same parameters and returns the same columns, and its inserts still fit.

`statements/NNNN.json` holds the statements of code whose newest migration was NNNN; test_migrations.py writes the file
of a new one. The files of the last two versions before are compared with the schema; older ones can be deleted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from cluster.migrate import load_migrations, migrate
from cluster.postgres import connect_database
from tests.support.sent_statements import statements_on_record
from tests.support.servers import Servers, execute
from tests.support.statements import RECORDED, Statement, prepare

MIGRATIONS = load_migrations()
NEWEST = MIGRATIONS[-1].number
_OLDEST_COMPATIBLE = max(migration.compatible_from for migration in MIGRATIONS)


def _recorded(number: int) -> list[Statement]:
    found: list[Statement] = json.loads((RECORDED / f"{number:04}.json").read_text())
    return found


def _versions_before() -> list[int]:
    """The last two versions before the present one that may still run."""
    numbers = sorted(int(path.stem) for path in RECORDED.glob("*.json"))
    return [number for number in numbers if _OLDEST_COMPATIBLE <= number < NEWEST][-2:]


async def test_statements_of_the_versions_before_work_as_they_did(database_address: str) -> None:
    assert len(_versions_before()) == 2
    connection: asyncpg.Connection[Any] = await asyncpg.connect(database_address)
    for number in _versions_before():
        for statement in _recorded(number):
            now = await prepare(connection, statement["sql"])
            assert now == (statement["parameters"], statement["columns"]), (number, statement["module"])
    await connection.close()


async def test_statements_of_the_versions_before_know_every_column_that_needs_a_value(servers: Servers) -> None:
    for number in _versions_before():
        address = servers.postgres.address(f"former_{number}")
        await execute(servers.postgres.address("postgres"), f"create database former_{number}")
        await migrate(address, MIGRATIONS[:number])
        before = await _columns(address)
        await migrate(address, MIGRATIONS)
        tables = {table for table, _ in before}
        needed = {column for column, optional in (await _columns(address)).items() if not optional}
        assert {(table, name) for table, name in needed - before.keys() if table in tables} == set()
        assert {column for column in needed & before.keys() if before[column]} == set()
        await execute(servers.postgres.address("postgres"), f"drop database former_{number}")


_BUILT = """
async def ask(uow, table):
    return await uow.fetchval(f'select count(*) from {table}')

async def stream(uow, table):
    return [row async for row in uow.stream(f'select id from {table}')]

async def ask_a_pool(uow, table):
    return await uow._database.pool.fetchval(f'select max(id::text) from {table}')

async def execute(uow, table):
    return await uow._database.pool.execute(f'select from {table}')
"""


@pytest.mark.parametrize("way", ["ask", "stream", "ask_a_pool", "execute"])
async def test_a_statement_that_is_built_where_it_runs_is_noticed(database_address: str, way: str) -> None:
    code: dict[str, Any] = {}
    exec(compile(_BUILT, Path(__file__).parents[2] / "features" / "built.py", "exec"), code)
    async with connect_database(database_address) as database, database.unit_of_work() as uow:
        with pytest.raises(pytest.fail.Exception, match="built where it runs"), statements_on_record():
            await code[way](uow, "posts")
        with statements_on_record():  # what a test asks does not count
            await uow.fetchval("select count(*) from posts where false")
            await database.pool.execute("select from posts where false")


_COLUMNS = """
select table_name, column_name, is_nullable = 'YES' or column_default is not null or is_identity = 'YES'
    or is_generated = 'ALWAYS' as optional
from information_schema.columns where table_schema = 'public'
"""


async def _columns(address: str) -> dict[tuple[str, str], bool]:
    """Whether an insert may leave out a column, by table and name."""
    connection = await asyncpg.connect(address)
    rows = await connection.fetch(_COLUMNS)
    await connection.close()
    return {(row["table_name"], row["column_name"]): row["optional"] for row in rows}
