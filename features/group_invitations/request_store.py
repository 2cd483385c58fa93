"""SQL of requests to join groups."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.group_invitations.machine import JoinState
from features.group_invitations.model import JoinDirection, JoinRequest
from features.groups.queries import in_group, managed_by, managers_of, manages
from features.paging import PageRequest
from features.relationships.visibility import apart

_BEFORE_ALL = (datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))

_IS_MEMBER = f"select {in_group('$1', '$2')}"


async def is_member(uow: UnitOfWork, account_id: UUID, group_id: UUID) -> bool:
    """Returns whether an account is in a group."""
    return bool(await uow.fetchval(_IS_MEMBER, account_id, group_id))


_LOCK = "select pg_advisory_xact_lock(hashtextextended('group_join_requests:' || $1::uuid::text, 0))"
_OF_ACCOUNT = """
select id, group_id, account_id, invitation_id, state, asked_at, expires_at from group_join_requests
where account_id = $1 and group_id = $2
"""
_COUNT_OF_ACCOUNT = """
select count(*) from group_join_requests where account_id = $1 and state <> 'approved' and expires_at > $2
"""
_COUNT_OF_INVITATION = """
select count(*) from group_join_requests where invitation_id = $1 and state = 'waiting' and expires_at > $2
"""


async def lock(uow: UnitOfWork, account_id: UUID, group_id: UUID) -> JoinRequest | None:
    """Returns the account's request to join a group, also one that has expired. The account makes no other request
    until the unit of work ends."""
    await uow.execute(_LOCK, account_id)
    row = await uow.fetchrow(_OF_ACCOUNT, account_id, group_id)
    return _request(row) if row else None


async def count_of_account(uow: UnitOfWork, account_id: UUID, now: datetime) -> int:
    """Returns how many groups an account has asked to join without being let in."""
    return int(await uow.fetchval(_COUNT_OF_ACCOUNT, account_id, now))


async def count_of_invitation(uow: UnitOfWork, invitation_id: UUID, now: datetime) -> int:
    """Returns how many requests by an invitation nobody has answered."""
    return int(await uow.fetchval(_COUNT_OF_INVITATION, invitation_id, now))


_PUT = """
insert into group_join_requests (id, group_id, account_id, invitation_id, state, asked_at, expires_at)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (group_id, account_id) do update set id = excluded.id, invitation_id = excluded.invitation_id,
    state = excluded.state, asked_at = excluded.asked_at, expires_at = excluded.expires_at
"""


async def put(uow: UnitOfWork, request: JoinRequest) -> None:
    """Inserts a request, in place of an earlier one of the account for this group."""
    await uow.execute(
        _PUT,
        *(request.id, request.group_id, request.account_id, request.invitation_id, request.state),
        *(request.asked_at, request.expires_at),
    )


_INCOMING = f"""
select id, group_id, account_id, invitation_id, state, asked_at, expires_at from group_join_requests as request
where group_id in ({managed_by("$1")}) and state = 'waiting' and expires_at > $2 and (asked_at, id) < ($3, $4)
and not {apart("$1", "request.account_id")} and not {in_group("request.account_id", "request.group_id")}
order by asked_at desc, id desc limit $5
"""
_OUTGOING = """
select id, group_id, account_id, invitation_id, state, asked_at, expires_at from group_join_requests
where account_id = $1 and state in ('waiting', 'declined') and expires_at > $2 and (asked_at, id) < ($3, $4)
order by asked_at desc, id desc limit $5
"""


async def pending(
    uow: UnitOfWork, account_id: UUID, direction: JoinDirection, page: PageRequest, now: datetime
) -> list[JoinRequest]:
    """Returns up to `limit + 1` requests that an account can answer, or that wait in its eyes, newest first."""
    position = (page.cursor.at, page.cursor.id) if page.cursor else _BEFORE_ALL
    sql = _INCOMING if direction is JoinDirection.INCOMING else _OUTGOING
    return [_request(row) for row in await uow.fetch(sql, account_id, now, *position, page.limit + 1)]


_LOCK_INCOMING = f"""
select id, group_id, account_id, invitation_id, state, asked_at, expires_at from group_join_requests as request
where id = $1 and expires_at > $3 and {manages("$2", "request.group_id")} and not {apart("$2", "request.account_id")}
for update
"""
_LOCK_OUTGOING = """
select id, group_id, account_id, invitation_id, state, asked_at, expires_at from group_join_requests
where id = $1 and expires_at > $3 and account_id = $2 for update
"""


async def lock_request(
    uow: UnitOfWork, request_id: UUID, account_id: UUID, direction: JoinDirection, now: datetime
) -> JoinRequest | None:
    """Returns a request that an account may answer, or its own, and locks it."""
    sql = _LOCK_INCOMING if direction is JoinDirection.INCOMING else _LOCK_OUTGOING
    row = await uow.fetchrow(sql, request_id, account_id, now)
    return _request(row) if row else None


async def set_state(uow: UnitOfWork, request_id: UUID, state: JoinState) -> None:
    """Changes the state of a request."""
    await uow.execute("update group_join_requests set state = $2 where id = $1", request_id, state)


async def forget_unanswered(uow: UnitOfWork, group_id: UUID, invitation_id: UUID) -> None:
    """Deletes the requests by an invitation to a group that nobody has answered."""
    sql = "delete from group_join_requests where invitation_id = $1 and group_id = $2 and state = 'waiting'"
    await uow.execute(sql, invitation_id, group_id)


_MANAGERS = f"""
select manager.account_id from ({managers_of("$1")}) as manager where not {apart("manager.account_id", "$2")} limit $3
"""


async def managers(uow: UnitOfWork, group_id: UUID, account_id: UUID, limit: int) -> Sequence[UUID]:
    """Returns up to `limit` owners and admins of a group who are not apart from an account."""
    return [row["account_id"] for row in await uow.fetch(_MANAGERS, group_id, account_id, limit)]


def _request(row: Any) -> JoinRequest:
    return JoinRequest(**{**row, "state": JoinState(row["state"])})
