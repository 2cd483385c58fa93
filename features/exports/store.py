"""SQL of exports."""

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.exports.model import Export

if TYPE_CHECKING:
    from asyncpg import Record

_COLUMNS = "id, account_id, requested_at, ready_at, size, expires_at"
_INSERT = f"""
insert into account_exports (id, account_id, requested_at, expires_at) values ($1, $2, $3, $4)
on conflict (account_id) do nothing returning {_COLUMNS}
"""
_OF_ACCOUNT = f"select {_COLUMNS} from account_exports where account_id = $1"
_LOCK_OF_ACCOUNT = f"{_OF_ACCOUNT} for update"
_LOCK_UNMADE = "select true from account_exports where id = $1 and ready_at is null for update"
_DELETE = "delete from account_exports where id = $1"
_INSERT_PART = "insert into account_export_parts (export_id, number, content) values ($1, $2, $3)"
_PART = "select content from account_export_parts where export_id = $1 and number = $2"
_SET_READY = """
update account_exports set ready_at = $2, expires_at = $3,
    size = (select sum(length(content)) from account_export_parts where export_id = $1)
where id = $1
"""


async def insert(
    uow: UnitOfWork, id: UUID, account_id: UUID, requested_at: datetime, expires_at: datetime
) -> Export | None:
    """Inserts an export without content. Returns None if the account has one."""
    return _export(await uow.fetchrow(_INSERT, id, account_id, requested_at, expires_at))


async def of_account(uow: UnitOfWork, account_id: UUID) -> Export | None:
    return _export(await uow.fetchrow(_OF_ACCOUNT, account_id))


async def lock_of_account(uow: UnitOfWork, account_id: UUID) -> Export | None:
    """Returns an account's export, locked until the unit of work ends."""
    return _export(await uow.fetchrow(_LOCK_OF_ACCOUNT, account_id))


async def lock_unmade(uow: UnitOfWork, id: UUID) -> bool:
    """Locks an export until the unit of work ends. Returns False if it is made already, or gone."""
    return await uow.fetchval(_LOCK_UNMADE, id) is not None


async def delete(uow: UnitOfWork, id: UUID) -> None:
    """Deletes an export with its content."""
    await uow.execute(_DELETE, id)


async def insert_part(uow: UnitOfWork, id: UUID, number: int, content: bytes) -> None:
    await uow.execute(_INSERT_PART, id, number, content)


async def part(uow: UnitOfWork, id: UUID, number: int) -> bytes | None:
    """Returns a part of the content, numbered from 0."""
    found: bytes | None = await uow.fetchval(_PART, id, number)
    return found


async def set_ready(uow: UnitOfWork, id: UUID, now: datetime, expires_at: datetime) -> None:
    await uow.execute(_SET_READY, id, now, expires_at)


def _export(row: "Record | None") -> Export | None:
    return None if row is None else Export(**row)
