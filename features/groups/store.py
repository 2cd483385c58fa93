"""SQL of groups for the service: founding, reading, and staging what is to be accepted.

entity_store.py has what the group's entity reads and writes, inbox_store.py what waits for devices.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.accounts.queries import active
from features.devices.model import DeviceAddress
from features.devices.queries import devices_of
from features.groups.checking import Founding
from features.groups.handshakes import Change
from features.groups.model import (
    MAX_LISTED_BYTES,
    AcceptedCommit,
    Caller,
    GroupMembership,
    GroupRole,
    Sizes,
    StoredGroup,
)
from features.paging import PageRequest
from features.relationships.visibility import apart

_BEFORE_ALL = (datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))

_FOUND = """
with founded as (
    insert into groups (id, digest, epoch, version, group_info, created_at) values ($1, $2, 0, 0, $3, $4)
    on conflict do nothing returning id
), parts as (
    insert into group_parts (group_id, name, data)
    select id, name, data from founded cross join unnest($5::text[], $6::bytea[]) as part (name, data)
), places as (
    insert into group_devices (account_id, device, group_id, leaf, since, read_to)
    select $7, $8, id, $9, 0, 0 from founded
)
insert into group_members (account_id, group_id, role, joined_at) select $7, id, 'owner', $4 from founded
"""


async def found(
    uow: UnitOfWork, founding: Founding, creator: DeviceAddress, digest: bytes, group_info: bytes, now: datetime
) -> bool:
    """Inserts a group with its creator. Returns False if there is one with this id."""
    tag = await uow.execute(
        _FOUND,
        *(founding.group_id, digest, group_info, now, list(founding.parts), list(founding.parts.values())),
        *(creator.account_id, creator.number, founding.leaf),
    )
    return tag == "INSERT 0 1"


async def founded_alike(uow: UnitOfWork, account_id: UUID, group_id: UUID, digest: bytes) -> bool:
    """Returns whether the account is in a group that was founded by this very request."""
    sql = """
select exists (select from groups join group_members on group_id = id
    where id = $1 and digest = $2 and account_id = $3)
"""
    return bool(await uow.fetchval(sql, group_id, digest, account_id))


_MEMBERSHIP = """
select own.group_id, own.role, own.joined_at, groups.epoch,
    (select count(*) from group_members as every where every.group_id = own.group_id) as members
from group_members as own join groups on groups.id = own.group_id
where own.account_id = $1
"""
_FIND = f"{_MEMBERSHIP} and own.group_id = $2"
_LIST = f"""
{_MEMBERSHIP} and (own.joined_at, own.group_id) < ($2, $3)
order by own.joined_at desc, own.group_id desc limit $4
"""


async def find(uow: UnitOfWork, account_id: UUID, group_id: UUID) -> GroupMembership | None:
    """Returns a group of an account."""
    row = await uow.fetchrow(_FIND, account_id, group_id)
    return _membership(row) if row else None


async def memberships(uow: UnitOfWork, account_id: UUID, page: PageRequest) -> list[GroupMembership]:
    """Returns up to `limit + 1` groups of an account, the newest memberships first."""
    position = (page.cursor.at, page.cursor.id) if page.cursor else _BEFORE_ALL
    return [_membership(row) for row in await uow.fetch(_LIST, account_id, *position, page.limit + 1)]


async def count(uow: UnitOfWork, account_id: UUID) -> int:
    """Returns how many groups an account is in."""
    return int(await uow.fetchval("select count(*) from group_members where account_id = $1", account_id))


_CALLER = f"""
select device.number, member.leaf, exists (
    select from group_members as own where own.account_id = $1 and own.group_id = $3
) as is_member from ({devices_of("array[$1::uuid]")}) as device
left join group_devices as member on member.account_id = device.account_id and member.device = device.number
    and member.group_id = $3 and member.until is null
where device.session_id = $2
"""


async def caller(uow: UnitOfWork, account_id: UUID, session_id: UUID, group_id: UUID) -> Caller | None:
    """Returns the device that a session acts for, with its place in the group; None if it acts for none."""
    row = await uow.fetchrow(_CALLER, account_id, session_id, group_id)
    return Caller(DeviceAddress(account_id, row["number"]), row["leaf"], row["is_member"]) if row else None


_STATE = """
select epoch, version, name, data from groups join group_parts on group_parts.group_id = groups.id where groups.id = $1
"""


async def state(uow: UnitOfWork, group_id: UUID) -> StoredGroup | None:
    """Returns what a change of a group is checked against. One statement, so that all of it is of one version."""
    rows = await uow.fetch(_STATE, group_id)
    if not rows:
        return None
    return StoredGroup(rows[0]["epoch"], rows[0]["version"], {row["name"]: row["data"] for row in rows})


_GROUP_INFO = """
select group_info from groups join group_members as own on own.group_id = id where id = $1 and own.account_id = $2
"""
_TREE_FOUNDED_AT = """
select groups.created_at from groups join group_members as own on own.group_id = groups.id
where groups.id = $1 and own.account_id = $3 and (groups.epoch = $2 or exists (
    select from group_joiners as joiner where joiner.account_id = $3 and joiner.group_id = $1 and joiner.epoch = $2
))
"""
_TREE = "select tree from group_welcomes where group_id = $1 and epoch = $2"


async def group_info(uow: UnitOfWork, account_id: UUID, group_id: UUID) -> bytes | None:
    """Returns the newest GroupInfo of a group of the account."""
    found: bytes | None = await uow.fetchval(_GROUP_INFO, group_id, account_id)
    return found


async def tree_founded_at(uow: UnitOfWork, account_id: UUID, group_id: UUID, epoch: int) -> datetime | None:
    """Returns when a group of the account was founded, if it may have the tree of an epoch: of the present one, or of
    one into which a Welcome of the account leads."""
    found: datetime | None = await uow.fetchval(_TREE_FOUNDED_AT, group_id, epoch, account_id)
    return found


async def tree(uow: UnitOfWork, group_id: UUID, epoch: int) -> bytes | None:
    """Returns the tree of an epoch. Only those that began by adding somebody have one here."""
    found: bytes | None = await uow.fetchval(_TREE, group_id, epoch)
    return found


_ADDABLE = f"""
select id from unnest($1::uuid[]) as asked (id)
where asked.id = $2 or ({active("asked.id")} and not {apart("asked.id", "$2")})
"""


async def addable(uow: UnitOfWork, adder: UUID, account_ids: Collection[UUID]) -> set[UUID]:
    """Returns those accounts that are there for the adder: active, and not apart from it."""
    return {row["id"] for row in await uow.fetch(_ADDABLE, list(account_ids), adder)}


_SIZES = """
select (select count(*) from (
    select account_id from group_members where group_id = $1 union select unnest($2::uuid[])
) as every) as members, (
    select count(*) from unnest($2::uuid[]) as added (id)
    where not exists (select from group_members as m where m.account_id = added.id and m.group_id = $1)
    and $3::bigint <= (select count(*) from group_members as m where m.account_id = added.id)
) as full_accounts
"""


async def sizes(uow: UnitOfWork, group_id: UUID, added: Collection[UUID], max_groups: int) -> Sizes:
    """Returns how many members a group has with those who are added."""
    row = await uow.fetchrow(_SIZES, group_id, list(added), max_groups)
    assert row is not None
    return Sizes(row["members"], row["full_accounts"])


_SESSIONS = f"""
select account_id, number, device.session_id from ({devices_of("$1::uuid[]")}) as device
join unnest($1::uuid[], $2::int[]) as asked (account_id, number) using (account_id, number)
"""


async def sessions(uow: UnitOfWork, devices: Sequence[DeviceAddress]) -> dict[DeviceAddress, UUID]:
    """Returns the sessions that act for devices."""
    asked = [each.account_id for each in devices], [each.number for each in devices]
    rows = await uow.fetch(_SESSIONS, *asked)
    return {DeviceAddress(row["account_id"], row["number"]): row["session_id"] for row in rows}


_STAGE = """
insert into group_staged_changes (id, group_id, created_at, message, group_info, put_names, put_data, deleted_names,
    suite, encrypted_group_info, tree, added_account_ids, added_devices, added_leaves, added_secrets, removed_leaves,
    role_account_ids, role_names)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
"""


async def stage(uow: UnitOfWork, id: UUID, group_id: UUID, change: Change, now: datetime) -> None:
    """Stores a change that was checked, until the group accepts it."""
    roles = None if change.roles is None else list(change.roles)
    names = None if change.roles is None else [role.value for role in change.roles.values()]
    await uow.execute(
        _STAGE,
        *(id, group_id, now, change.handshake.message, change.handshake.group_info),
        *(list(change.put), list(change.put.values()), sorted(change.deleted)),
        *(change.suite, change.encrypted_group_info, change.tree),
        [each.device.account_id for each in change.added],
        [each.device.number for each in change.added],
        [each.leaf for each in change.added],
        [each.secrets for each in change.added],
        [each.leaf for each in change.removed],
        *(roles, names),
    )


async def unstage(uow: UnitOfWork, id: UUID) -> None:
    """Deletes a change that was not accepted."""
    await uow.execute("delete from group_staged_changes where id = $1", id)


_MAX_BIGINT = 2**63 - 1

# Not what was before the device came in: who was a member then is not for it. Its own commit is the one by which it
# came in, if that was an external one.
_COMMITS = f"""
select message.seq, message.epoch, sent_at, sender_account_id, sender_device, client_id, digest,
    case when octet_length(message.message) <= {MAX_LISTED_BYTES} then message.message end as message
from group_devices as own join group_messages as message using (group_id)
where own.account_id = $1 and own.device = $2 and own.group_id = $3 and own.until is null
and message.content = 'commit' and message.epoch >= $4 and (
    message.seq > own.since or (message.sender_account_id, message.sender_device) = (own.account_id, own.device)
) order by message.epoch limit $5
"""


async def commits(
    uow: UnitOfWork, group_id: UUID, device: DeviceAddress, epoch: int, limit: int
) -> list[AcceptedCommit]:
    """Returns the first of the commits that were accepted since an epoch began (up to 2**64 - 1), as far as a device in
    the group may read them. One statement."""
    arguments = (device.account_id, device.number, group_id, min(epoch, _MAX_BIGINT), limit)
    return [
        AcceptedCommit(
            row["seq"],
            row["epoch"],
            row["sent_at"],
            None if row["sender_account_id"] is None else DeviceAddress(row["sender_account_id"], row["sender_device"]),
            row["client_id"],
            row["digest"],
            row["message"],
        )
        for row in await uow.fetch(_COMMITS, *arguments)
    ]


_GROUPS_OF = "select distinct group_id from group_devices where account_id = $1"


async def groups_of(uow: UnitOfWork, account_id: UUID) -> Sequence[UUID]:
    """Returns the groups in which an account has, or had, a device."""
    return [row["group_id"] for row in await uow.fetch(_GROUPS_OF, account_id)]


def _membership(row: Any) -> GroupMembership:
    return GroupMembership(row["group_id"], row["epoch"], row["members"], GroupRole(row["role"]), row["joined_at"])
