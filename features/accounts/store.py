"""SQL of accounts."""

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.account_state import AccountState
from features.accounts.machine import Life
from features.accounts.model import Account, Contact

if TYPE_CHECKING:
    from asyncpg import Record

_INSERT = """
insert into accounts (id, email, password_hash, created_at) values ($1, $2, $3, $4)
on conflict do nothing returning id
"""
_EMAIL_EXISTS = "select exists (select from accounts where lower(email) = lower($1))"
_LIFE = "state, deletes_at, resumes_as"
_BY_EMAIL = f"select id, password_hash, {_LIFE} from accounts where lower(email) = lower($1)"
_BY_ID = f"select id, password_hash, {_LIFE} from accounts where id = $1"
_CONTACT = f"select email, {_LIFE} from accounts where id = $1"
_SET_PASSWORD_HASH = "update accounts set password_hash = $2 where id = $1"  # noqa: S105 - no secret
_LOCK_LIFE = f"select {_LIFE} from accounts where id = $1 for no key update"
_SET_LIFE = """
update accounts set state = $2, deletes_at = $3, resumes_as = $4, state_changed_at = $5 where id = $1
"""
_DUE = """
select id from accounts where state in ('deleting', 'deleted') and deletes_at <= $1 and id <> all($2::uuid[])
order by deletes_at limit $3
"""
_COUNT_DUE = "select count(*) from accounts where state in ('deleting', 'deleted') and deletes_at <= $1"
_CLAIM = "select true from accounts where id = $1 and state = 'deleted' for no key update skip locked"


async def insert(uow: UnitOfWork, id: UUID, email: str, password_hash: str, now: datetime) -> bool:
    """Inserts an account. Returns False if the address has one already."""
    return await uow.fetchval(_INSERT, id, email, password_hash, now) is not None


async def email_exists(uow: UnitOfWork, email: str) -> bool:
    return bool(await uow.fetchval(_EMAIL_EXISTS, email))


async def by_email(uow: UnitOfWork, email: str) -> Account | None:
    return _account(await uow.fetchrow(_BY_EMAIL, email))


async def by_id(uow: UnitOfWork, id: UUID | None) -> Account | None:
    """Returns an account. Without an id it takes the same time and finds nothing."""
    return _account(await uow.fetchrow(_BY_ID, id))


async def contact(uow: UnitOfWork, id: UUID) -> Contact | None:
    row = await uow.fetchrow(_CONTACT, id)
    return None if row is None else Contact(row["email"], _life(row))


async def set_password_hash(uow: UnitOfWork, account_id: UUID, password_hash: str) -> None:
    await uow.execute(_SET_PASSWORD_HASH, account_id, password_hash)


async def lock_life(uow: UnitOfWork, account_id: UUID) -> Life | None:
    """Returns an account's state, locked until the unit of work ends."""
    row = await uow.fetchrow(_LOCK_LIFE, account_id)
    return None if row is None else _life(row)


async def set_life(uow: UnitOfWork, account_id: UUID, life: Life, now: datetime) -> None:
    await uow.execute(_SET_LIFE, account_id, life.state, life.deletes_at, life.resumes_as, now)


async def due(uow: UnitOfWork, now: datetime, without: Collection[UUID], limit: int) -> list[UUID]:
    """Returns up to `limit` accounts whose grace period is over, first those that have waited longest."""
    return [row["id"] for row in await uow.fetch(_DUE, now, list(without), limit)]


async def count_due(uow: UnitOfWork, now: datetime) -> int:
    return int(await uow.fetchval(_COUNT_DUE, now))


async def claim(uow: UnitOfWork, account_id: UUID) -> bool:
    """Locks a deleted account until the unit of work ends. Returns False if it does not exist (any more), is not
    deleted, or another process has claimed it."""
    return bool(await uow.fetchval(_CLAIM, account_id))


def _account(row: "Record | None") -> Account | None:
    return None if row is None else Account(row["id"], row["password_hash"], _life(row))


def _life(row: "Record") -> Life:
    resumes_as = row["resumes_as"]
    return Life(AccountState(row["state"]), row["deletes_at"], AccountState(resumes_as) if resumes_as else None)
