"""What the slice does when an account is erased or exported."""

from collections.abc import AsyncIterator
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.feature import ExportedRow

# Proposals and commits stay until all have them, without their sender: a member that lacks one could not follow.
_ERASE = """
with doomed as (
    select distinct group_id from group_devices where account_id = $1 limit $2
), nameless as (
    update group_messages set sender_account_id = null, sender_device = null
    where group_id in (select group_id from doomed) and sender_account_id = $1 and content <> 'application'
), sent as (
    delete from group_messages
    where group_id in (select group_id from doomed) and sender_account_id = $1 and content = 'application'
), joiners as (
    delete from group_joiners where account_id = $1 and group_id in (select group_id from doomed)
), members as (
    delete from group_members where account_id = $1 and group_id in (select group_id from doomed)
), deserted as (
    delete from groups where id in (select group_id from doomed) and not exists (
        select from group_members as other where other.group_id = groups.id and other.account_id <> $1
    )
), places as (
    delete from group_devices where account_id = $1 and group_id in (select group_id from doomed) returning group_id
)
select count(distinct group_id) from places
"""


async def erase(uow: UnitOfWork, account_id: UUID, limit: int, _now: object) -> bool:
    """Takes an account out of up to `limit` groups. Returns whether there may be more. A group without any member is
    deleted; its last messages expire."""
    return bool(await uow.fetchval(_ERASE, account_id, limit) == limit)


_MINE = "select group_id from group_members where account_id = $1"
_EXPORTED = (
    ("group_members", "select group_id, role, joined_at from group_members where account_id = $1"),
    (
        "group_devices",
        "select group_id, device, leaf, since, until, read_to from group_devices where account_id = $1",
    ),
    ("group_joiners", "select group_id, device, epoch, seq from group_joiners where account_id = $1"),
    (
        "group_messages",
        "select group_id, seq, epoch, content, sender_device, client_id, sent_at, expires_at from group_messages"
        f" where sender_account_id = $1 and group_id in ({_MINE})",
    ),
)
"""Without ciphertext and keys, which the platform cannot read."""


async def export(uow: UnitOfWork, account_id: UUID) -> AsyncIterator[ExportedRow]:
    """Yields what the slice knows about an account."""
    for table, statement in _EXPORTED:
        async for row in uow.stream(statement, account_id):
            yield ExportedRow(table, dict(row))
