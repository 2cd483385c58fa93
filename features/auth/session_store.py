"""SQL of sign-in sessions and their refresh tokens."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from asyncpg import Record

from cluster.postgres import UnitOfWork
from features.accounts.queries import stays_active
from features.auth.model import RefreshToken, Session
from features.paging import PageRequest

_COLUMNS = "id, account_id, device, created_at, last_used_at, expires_at, ended_at"

_INSERT = f"""
insert into auth_sessions (id, account_id, device, created_at, last_used_at, expires_at)
select $1, $2, $3, $4, $4, $5 where {stays_active("$2")} returning id
"""
_SWEEP = "delete from auth_sessions where account_id = $1 and (expires_at <= $2 or ended_at <= $3)"
_IS_LIVE = """
select exists (select from auth_sessions
               where id = $1 and account_id = $2 and ended_at is null and expires_at > $3)
"""
_BEGUN_AT = "select created_at from auth_sessions where id = $1 and account_id = $2"
_LIST = f"""
select {_COLUMNS} from auth_sessions
where account_id = $1 and ended_at is null and expires_at > $2
    and (created_at, id)
        < (coalesce($3::timestamptz, 'infinity'), coalesce($4::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
order by created_at desc, id desc limit $5
"""
_END_ONE = """
update auth_sessions set ended_at = $3 where id = $1 and account_id = $2 and ended_at is null and expires_at > $3
returning id
"""
# Locked in the order of ids, so that two devices that revoke each other at once do not deadlock.
_END_OTHERS = """
with others as (
    select id from auth_sessions
    where account_id = $1 and id is distinct from $2 and ended_at is null and expires_at > $3
    order by id for update
)
update auth_sessions s set ended_at = $3 from others where s.id = others.id
returning s.id
"""
_END_UNUSED = """
with unused as (
    select id from auth_sessions
    where account_id = $1 and id <> $2 and ended_at is null and expires_at > $3
    order by last_used_at desc, id desc offset $4
), locked as (
    select id from auth_sessions where id in (select id from unused) order by id for update
)
update auth_sessions s set ended_at = $3 from locked where s.id = locked.id and s.ended_at is null
returning s.id
"""
_LOCK_BY_TOKEN = f"""
select {_COLUMNS} from auth_sessions
where id = (select session_id from auth_refresh_tokens where hash = $1) for update
"""
_FAMILY = "select session_id from auth_refresh_tokens where hash = $1"
_TOUCH = "update auth_sessions set last_used_at = $2, expires_at = $3 where id = $1"

_FIND = """
select t.hash, t.session_id, t.used_at, t.successor, coalesce(s.used_at is not null, false) as successor_used
from auth_refresh_tokens t left join auth_refresh_tokens s on s.hash = t.successor
where t.hash = $1
"""
_ISSUE = "insert into auth_refresh_tokens (hash, session_id, expires_at) values ($1, $2, $3)"
_SPEND = """
update auth_refresh_tokens set used_at = coalesce(used_at, $2), successor = $3 where hash = $1
"""
_FORGET_EXPIRED = "delete from auth_refresh_tokens where session_id = $1 and expires_at <= $2"


async def insert_session(
    uow: UnitOfWork, id: UUID, account_id: UUID, device: str, now: datetime, expires_at: datetime
) -> bool:
    """Inserts a session, and keeps the account from being deactivated or suspended until the unit of work ends. Returns
    False if it is already."""
    return await uow.fetchval(_INSERT, id, account_id, device, now, expires_at) is not None


async def sweep_sessions(uow: UnitOfWork, account_id: UUID, now: datetime, ended_before: datetime) -> None:
    """Deletes the account's sessions that ended long ago."""
    await uow.execute(_SWEEP, account_id, now, ended_before)


async def is_live(uow: UnitOfWork, id: UUID, account_id: UUID, now: datetime) -> bool:
    return bool(await uow.fetchval(_IS_LIVE, id, account_id, now))


async def begun_at(uow: UnitOfWork, id: UUID, account_id: UUID) -> datetime | None:
    """Returns when a session of the account began, with the password or the code of a sign-up."""
    found: datetime | None = await uow.fetchval(_BEGUN_AT, id, account_id)
    return found


async def list_sessions(uow: UnitOfWork, account_id: UUID, now: datetime, page: PageRequest) -> list[Session]:
    """Returns live sessions, newest first, one more than the page holds."""
    at, id = (page.cursor.at, page.cursor.id) if page.cursor else (None, None)
    rows = await uow.fetch(_LIST, account_id, now, at, id, page.limit + 1)
    return [_session(row) for row in rows]


async def end_session(uow: UnitOfWork, id: UUID, account_id: UUID, now: datetime) -> bool:
    """Ends a session. Returns False if the account has no such live session."""
    return await uow.fetchval(_END_ONE, id, account_id, now) is not None


async def end_other_sessions(uow: UnitOfWork, account_id: UUID, but: UUID | None, now: datetime) -> Sequence[UUID]:
    """Ends all live sessions of the account, except one if it is given. Returns their ids."""
    return [row["id"] for row in await uow.fetch(_END_OTHERS, account_id, but, now)]


async def end_unused_sessions(uow: UnitOfWork, account_id: UUID, but: UUID, keep: int, now: datetime) -> Sequence[UUID]:
    """Ends the live sessions of the account that were used longest ago, except `keep` of them and one more. Returns
    their ids."""
    return [row["id"] for row in await uow.fetch(_END_UNUSED, account_id, but, now, keep)]


async def lock_session_of_token(uow: UnitOfWork, token_hash: bytes) -> Session | None:
    """Returns the session of a token, locked until the transaction ends."""
    row = await uow.fetchrow(_LOCK_BY_TOKEN, token_hash)
    return _session(row) if row else None


async def session_of_token(uow: UnitOfWork, token_hash: bytes) -> UUID | None:
    """Returns the id of a token's session."""
    found: UUID | None = await uow.fetchval(_FAMILY, token_hash)
    return found


async def touch_session(uow: UnitOfWork, id: UUID, now: datetime, expires_at: datetime) -> None:
    await uow.execute(_TOUCH, id, now, expires_at)


async def find_token(uow: UnitOfWork, token_hash: bytes) -> RefreshToken | None:
    """Returns a token. Lock its session first, otherwise its successor may be out of date."""
    row = await uow.fetchrow(_FIND, token_hash)
    return RefreshToken(**row) if row else None


async def insert_token(uow: UnitOfWork, token_hash: bytes, session_id: UUID, expires_at: datetime) -> None:
    await uow.execute(_ISSUE, token_hash, session_id, expires_at)


async def spend_token(uow: UnitOfWork, token_hash: bytes, now: datetime, successor: bytes | None) -> None:
    """Marks a token as exchanged for `successor` (None: withdrawn). Keeps the time of the first use."""
    await uow.execute(_SPEND, token_hash, now, successor)


async def sweep_tokens(uow: UnitOfWork, session_id: UUID, now: datetime) -> None:
    """Deletes expired tokens of a session."""
    await uow.execute(_FORGET_EXPIRED, session_id, now)


def _session(row: Record) -> Session:
    return Session(**row)
