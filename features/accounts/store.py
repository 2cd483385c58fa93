"""SQL of accounts."""

from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.accounts.model import Account

_INSERT = """
insert into accounts (id, email, password_hash, created_at) values ($1, $2, $3, $4)
on conflict do nothing returning id
"""
_EMAIL_EXISTS = "select exists (select from accounts where lower(email) = lower($1))"
_BY_EMAIL = "select id, password_hash from accounts where lower(email) = lower($1)"
_BY_ID = "select id, password_hash from accounts where id = $1"
_SET_PASSWORD_HASH = "update accounts set password_hash = $2 where id = $1"  # noqa: S105 - no secret


async def insert(uow: UnitOfWork, id: UUID, email: str, password_hash: str, now: datetime) -> bool:
    """Inserts an account. Returns False if the address has one already."""
    return await uow.fetchval(_INSERT, id, email, password_hash, now) is not None


async def email_exists(uow: UnitOfWork, email: str) -> bool:
    return bool(await uow.fetchval(_EMAIL_EXISTS, email))


async def by_email(uow: UnitOfWork, email: str) -> Account | None:
    row = await uow.fetchrow(_BY_EMAIL, email)
    return Account(**row) if row else None


async def by_id(uow: UnitOfWork, id: UUID | None) -> Account | None:
    """Returns an account. Without an id it takes the same time and finds nothing."""
    row = await uow.fetchrow(_BY_ID, id)
    return Account(**row) if row else None


async def set_password_hash(uow: UnitOfWork, account_id: UUID, password_hash: str) -> None:
    await uow.execute(_SET_PASSWORD_HASH, account_id, password_hash)
