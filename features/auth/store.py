"""SQL of sign-ups, log-in attempts and the audit log."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from asyncpg import Record

from cluster.ids import new_id
from cluster.postgres import UnitOfWork
from features.auth.model import AuditEntry, AuditKind, LogInAttempt, MailCounts, SignUp
from features.auth.policy import AuthPolicy
from features.paging import PageRequest

_SWEPT = 100
"""Maximum number of old rows that a write deletes, so that tables need no separate sweeper."""

_INSERT_SIGN_UP = """
insert into auth_sign_ups (id, email, username, name, password_hash, created_at, requested_at, requester)
values ($1, $2, $3, $4, $5, $6, $6, $7)
"""
_SWEEP_SIGN_UPS = f"""
delete from auth_sign_ups where id in
    (select id from auth_sign_ups where created_at <= $1 order by created_at limit {_SWEPT} for update skip locked)
"""
_TO_EMAIL, _BY_REQUESTER = "lower(email) = lower($1)", "requester = $2"
# Many providers deliver ada+anything@ to ada@ (RFC 5233).
_MAILBOX = "regexp_replace(lower({email}), '\\+[^@]*@', '@')"
_TO_MAILBOX = f"{_MAILBOX.format(email='email')} = {_MAILBOX.format(email='$1')}"
_COUNT_MAILS = f"""
select
    coalesce(sum(codes) filter (where {_TO_EMAIL}), 0) as to_email,
    coalesce(sum(codes) filter (where {_TO_MAILBOX} and {_BY_REQUESTER}), 0) as by_requester_to_email,
    coalesce(sum(codes) filter (where {_BY_REQUESTER}), 0) as by_requester,
    min(created_at) filter (where {_BY_REQUESTER}) as requester_since
from auth_sign_ups where ({_TO_EMAIL} or {_BY_REQUESTER}) and created_at > $3
"""
_LOCK_COUNTS = "select pg_advisory_xact_lock(key) from unnest($1::bigint[]) as key"
_LOCK_SIGN_UP = """
select id, email, username, name, password_hash, created_at, requested_at, codes, code_hash, code_expires_at, attempts
from auth_sign_ups where id = $1 and created_at > $2 for update
"""
_LATEST_SIGN_UP_HASH = """
select password_hash from auth_sign_ups where lower(email) = lower($1) and created_at > $2
order by created_at desc limit 1
"""
_NOTE_CODE_REQUEST = "update auth_sign_ups set requested_at = $2, codes = codes + 1 where id = $1"
_SET_CODE = "update auth_sign_ups set code_hash = $2, code_expires_at = $3, attempts = 0 where id = $1"
_NOTE_WRONG_CODE = "update auth_sign_ups set attempts = attempts + 1 where id = $1"
_DELETE_SIGN_UP = "delete from auth_sign_ups where id = $1"

_COUNT_ATTEMPT = """
insert into auth_log_in_failures as f (subject, failures, window_started_at) values ($1, 1, $2)
on conflict (subject) do update set
    failures = case when f.window_started_at <= $3 or f.locked_until <= $2 then 1 else f.failures + 1 end,
    window_started_at =
        case when f.window_started_at <= $3 or f.locked_until <= $2 then $2 else f.window_started_at end,
    locked_until = case when f.window_started_at > $3 and f.locked_until is null and f.failures + 1 >= $4 then $5
                        when f.locked_until > $2 then f.locked_until end
returning failures as number, locked_until
"""
_SWEEP_FAILURES = f"""
delete from auth_log_in_failures where subject in
    (select subject from auth_log_in_failures where window_started_at < $1
     order by window_started_at limit {_SWEPT} for update skip locked)
"""
_TAKE_BACK_ATTEMPT = """
update auth_log_in_failures
set failures = failures - 1, locked_until = case when failures - 1 >= $2 then locked_until end where subject = $1
"""
_FORGET_FAILURES = "delete from auth_log_in_failures where subject = $1"

# One statement whether the account exists or not, so that timing does not disclose it.
_INSERT_AUDIT = """
insert into auth_audit (id, account_id, kind, session_id, device, happened_at)
select $1, $2, $3, $4, $5, $6 where $2::uuid is not null
"""
_INSERT_AUDITS = """
insert into auth_audit (id, account_id, kind, session_id, device, happened_at)
select id, $2, $3, session_id, $5, $6 from unnest($1::uuid[], $4::uuid[]) as t (id, session_id)
"""
_LIST_AUDIT = """
select id, kind, session_id, device, happened_at from auth_audit
where account_id = $1
    and (happened_at, id)
        < (coalesce($2::timestamptz, 'infinity'), coalesce($3::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
order by happened_at desc, id desc limit $4
"""


async def insert_sign_up(
    uow: UnitOfWork,
    id: UUID,
    *,
    email: str,
    username: str,
    name: str,
    password_hash: str,
    requester: bytes,
    now: datetime,
) -> None:
    await uow.execute(_INSERT_SIGN_UP, id, email, username, name, password_hash, now, requester)


async def sweep_sign_ups(uow: UnitOfWork, created_before: datetime) -> None:
    """Deletes abandoned sign-ups."""
    await uow.execute(_SWEEP_SIGN_UPS, created_before)


async def count_mails(uow: UnitOfWork, email: str, requester: bytes | None, since: datetime) -> MailCounts:
    row = await uow.fetchrow(_COUNT_MAILS, email, requester, since)
    assert row is not None
    return MailCounts(**row)


async def lock_mail_counts(uow: UnitOfWork, email: bytes, requester: bytes) -> None:
    """Keeps others from signing up with the same address, or from the same one, until the unit of work ends. Takes
    keyed hashes."""
    keys = sorted(int.from_bytes(subject[:8], signed=True) for subject in (email, requester))
    await uow.execute(_LOCK_COUNTS, keys)


async def lock_sign_up(uow: UnitOfWork, id: UUID, created_after: datetime) -> SignUp | None:
    """Returns a sign-up, locked until the transaction ends."""
    row = await uow.fetchrow(_LOCK_SIGN_UP, id, created_after)
    return SignUp(**row) if row else None


async def latest_sign_up_hash(uow: UnitOfWork, email: str, created_after: datetime) -> str | None:
    """Returns the password hash of the latest sign-up with this address."""
    found: str | None = await uow.fetchval(_LATEST_SIGN_UP_HASH, email, created_after)
    return found


async def note_code_request(uow: UnitOfWork, id: UUID, now: datetime) -> None:
    await uow.execute(_NOTE_CODE_REQUEST, id, now)


async def set_code(uow: UnitOfWork, id: UUID, code_hash: bytes, expires_at: datetime) -> None:
    """Replaces the code and resets its attempts."""
    await uow.execute(_SET_CODE, id, code_hash, expires_at)


async def note_wrong_code(uow: UnitOfWork, id: UUID) -> None:
    await uow.execute(_NOTE_WRONG_CODE, id)


async def delete_sign_up(uow: UnitOfWork, id: UUID) -> None:
    await uow.execute(_DELETE_SIGN_UP, id)


async def count_attempt(uow: UnitOfWork, subject: bytes, now: datetime, policy: AuthPolicy, limit: int) -> LogInAttempt:
    """Counts a log-in attempt as failed until `forget_failures` or `take_back_attempt`."""
    window = now - policy.log_in_failure_window
    row = await uow.fetchrow(_COUNT_ATTEMPT, subject, now, window, limit, now + policy.lock_out)
    assert row is not None
    await uow.execute(_SWEEP_FAILURES, window - policy.lock_out - timedelta(hours=1))
    return LogInAttempt(**row, limit=limit)


async def take_back_attempt(uow: UnitOfWork, subject: bytes, limit: int) -> None:
    """Counts an attempt no longer. Those before it stay counted."""
    await uow.execute(_TAKE_BACK_ATTEMPT, subject, limit)


async def forget_failures(uow: UnitOfWork, subject: bytes) -> None:
    """Counts no attempts up to now any more."""
    await uow.execute(_FORGET_FAILURES, subject)


async def insert_audit(
    uow: UnitOfWork,
    account_id: UUID | None,
    kind: AuditKind,
    session_id: UUID | None,
    device: str,
    now: datetime,
) -> None:
    """Appends an entry. Without an account it takes the same time and writes nothing."""
    await uow.execute(_INSERT_AUDIT, new_id(now), account_id, kind, session_id, device, now)


async def insert_audits(
    uow: UnitOfWork, account_id: UUID, kind: AuditKind, session_ids: Sequence[UUID], device: str, now: datetime
) -> None:
    """Appends one entry per session."""
    ids = [new_id(now) for _ in session_ids]
    await uow.execute(_INSERT_AUDITS, ids, account_id, kind, list(session_ids), device, now)


async def list_audit(uow: UnitOfWork, account_id: UUID, page: PageRequest) -> list[AuditEntry]:
    """Returns entries, newest first, one more than the page holds."""
    at, id = (page.cursor.at, page.cursor.id) if page.cursor else (None, None)
    return [_audit_entry(row) for row in await uow.fetch(_LIST_AUDIT, account_id, at, id, page.limit + 1)]


def _audit_entry(row: Record) -> AuditEntry:
    return AuditEntry(row["id"], AuditKind(row["kind"]), row["session_id"], row["device"], row["happened_at"])
