"""Erases, exports and discloses the rows of an account, as the tables declare them (cluster/tables.py).

Names of tables and columns are constants of the code, never input.
"""

from base64 import b64encode
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any
from uuid import UUID

from cluster.postgres import UnitOfWork
from cluster.tables import Table
from features.feature import ExportedRow


async def erase_rows(uow: UnitOfWork, tables: Sequence[Table], account_id: UUID, limit: int) -> bool:
    """Erases up to `limit` rows that are about the account or name it. Returns whether rows may be left. Parts go with
    the rows that they are parts of, except those that name the account themselves."""
    left = limit
    for statement in erasing(tables):
        left -= int((await uow.execute(statement, account_id, left)).removeprefix("DELETE "))
        if left == 0:
            return True
    return False


def erasing(tables: Sequence[Table]) -> Iterator[str]:
    """Yields the statements that erase an account's rows, each up to a number of them."""
    for table in tables:
        for column in table.mentions if table.part_of else table.account_columns:
            rows = f"select ctid from {table.name} where {column} = $1 limit $2"
            yield f"delete from {table.name} where ctid = any(array({rows} for update))"


async def export_rows(uow: UnitOfWork, tables: Sequence[Table], account_id: UUID) -> AsyncIterator[ExportedRow]:
    """Yields the rows that are about the account, without secrets."""
    for table, statement in exporting(tables):
        async for row in uow.stream(statement, account_id):
            shown = {name: json_value(value) for name, value in row.items() if name not in table.secrets}
            yield ExportedRow(table.name, shown)


def exporting(tables: Sequence[Table]) -> Iterator[tuple[Table, str]]:
    """Yields the tables that have rows about accounts, each with the statement that reads those of one."""
    owners = {table.name: table for table in tables}
    for table in tables:
        if (condition := _about(table, owners)) is not None:
            yield table, f"select * from {table.name} where {condition}"


async def disclose_rows(uow: UnitOfWork, tables: Sequence[Table], account_id: UUID) -> AsyncIterator[ExportedRow]:
    """Yields the rows that authorities get about the account, whole."""
    for table, statement in disclosing(tables):
        async for row in uow.stream(statement, account_id):
            yield ExportedRow(table.name, {name: json_value(value) for name, value in row.items()})


def disclosing(tables: Sequence[Table]) -> Iterator[tuple[Table, str]]:
    """Yields the tables of which authorities get rows, each with the statement that reads those of an account."""
    for table in tables:
        if table.disclosed is not None:
            yield table, f"select * from {table.name} where {table.disclosed}"


def json_value(value: Any) -> Any:
    """Returns bytes as Base64, also those in arrays, and other values as they are."""
    if isinstance(value, list):
        return [json_value(each) for each in value]
    return b64encode(value).decode() if isinstance(value, bytes) else value


def _about(table: Table, tables: dict[str, Table]) -> str | None:
    """Returns the condition for rows that are about the account $1; None: the table has no such rows."""
    if table.subjects:
        return " or ".join(f"{column} = $1" for column in table.subjects)
    whole = tables.get(table.part_of.table) if table.part_of else None
    if table.part_of is None or whole is None or (condition := _about(whole, tables)) is None:
        return None
    return f"{table.part_of.column} in (select id from {whole.name} where {condition})"
