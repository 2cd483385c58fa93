"""SQL of invitations. request_store.py has that of the requests to join."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.group_invitations.model import GroupInvitation
from features.groups.queries import manages
from features.paging import PageRequest
from features.relationships.visibility import apart

if TYPE_CHECKING:
    from asyncpg import Record

_BEFORE_ALL = (datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))

_LOCK = "select pg_advisory_xact_lock(hashtextextended('group_invitations:' || $1::uuid::text, 0))"
_COUNT = "select count(*) from group_invitations where group_id = $1 and expires_at > $2"


async def lock(uow: UnitOfWork, group_id: UUID, now: datetime) -> int:
    """Returns how many invitations a group has that have not expired; nobody adds one until the unit of work ends."""
    await uow.execute(_LOCK, group_id)
    return int(await uow.fetchval(_COUNT, group_id, now))


_INSERT = """
insert into group_invitations (id, group_id, account_id, token_digest, max_uses, uses, created_at, expires_at)
values ($1, $2, $3, $4, $5, $6, $7, $8)
"""


async def insert(uow: UnitOfWork, invitation: GroupInvitation, token_digest: bytes) -> None:
    """Inserts an invitation."""
    await uow.execute(
        _INSERT,
        *(invitation.id, invitation.group_id, invitation.account_id, token_digest, invitation.max_uses),
        *(invitation.uses, invitation.created_at, invitation.expires_at),
    )


_LIST = """
select id, group_id, account_id, max_uses, uses, created_at, expires_at from group_invitations
where group_id = $1 and expires_at > $2 and (created_at, id) < ($3, $4)
order by created_at desc, id desc limit $5
"""


async def of_group(uow: UnitOfWork, group_id: UUID, page: PageRequest, now: datetime) -> list[GroupInvitation]:
    """Returns up to `limit + 1` invitations to a group that have not expired, newest first."""
    position = (page.cursor.at, page.cursor.id) if page.cursor else _BEFORE_ALL
    return [_invitation(row) for row in await uow.fetch(_LIST, group_id, now, *position, page.limit + 1)]


async def delete(uow: UnitOfWork, group_id: UUID, invitation_id: UUID) -> bool:
    """Deletes an invitation to a group. Returns whether there was one."""
    sql = "delete from group_invitations where id = $1 and group_id = $2"
    return await uow.execute(sql, invitation_id, group_id) == "DELETE 1"


# Locked: requests by one invitation are counted one after the other.
_OPEN = f"""
select id, group_id, account_id, max_uses, uses, created_at, expires_at from group_invitations as invitation
where token_digest = $1 and expires_at > $2 and uses < max_uses
and {manages("invitation.account_id", "invitation.group_id")} and not {apart("invitation.account_id", "$3")}
for update
"""


async def open(uow: UnitOfWork, token_digest: bytes, viewer: UUID, now: datetime) -> GroupInvitation | None:
    """Returns the invitation of a token, while it is good for the viewer, and locks it."""
    row = await uow.fetchrow(_OPEN, token_digest, now, viewer)
    return _invitation(row) if row else None


_USE = """
with used as (
    update group_invitations set uses = uses + 1 where id = $1 and uses < max_uses returning id
)
select exists (select from used) or not exists (select from group_invitations where id = $1)
"""


async def use(uow: UnitOfWork, invitation_id: UUID) -> bool:
    """Counts that somebody is let in by an invitation, if there still is one. Returns False if it is used up."""
    return bool(await uow.fetchval(_USE, invitation_id))


def _invitation(row: "Record") -> GroupInvitation:
    return GroupInvitation(**row)
