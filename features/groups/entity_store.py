"""SQL of groups for their entities: what an entity is loaded from, and what its turns store."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.devices.queries import devices_of
from features.groups.model import GroupContent
from features.groups.records import Accepted, Address, Stored
from features.microseconds import microseconds_of, time_of

MAX_REMEMBERED = 512
"""Messages of a group that are read when it is loaded."""

_GROUP = "select epoch, version from groups where id = $1"
_BOUND = devices_of("array(select account_id from group_devices where group_id = $1)")
_DEVICES = f"""
select member.account_id, member.device, bound.session_id from group_devices as member
join ({_BOUND}) as bound on bound.account_id = member.account_id and bound.number = member.device
where member.group_id = $1 and member.until is null
"""
_ACCEPTED = """
select seq, epoch, content, sender_account_id, sender_device, client_id, digest, sent_at from group_messages
where group_id = $1 and sender_account_id is not null and sent_at > $2 order by seq desc limit $3
"""


async def load(uow: UnitOfWork, group_id: UUID, remembered_since: datetime) -> Stored | None:
    """Returns what is stored of a group, None if there is none. Three statements."""
    group = await uow.fetchrow(_GROUP, group_id)
    if group is None:
        return None
    devices = await uow.fetch(_DEVICES, group_id)
    accepted = await uow.fetch(_ACCEPTED, group_id, remembered_since, MAX_REMEMBERED)
    return Stored(
        group["epoch"],
        group["version"],
        {Address(row["account_id"].bytes, row["device"]): row["session_id"].bytes for row in devices},
        [
            Accepted(
                row["seq"],
                Address(row["sender_account_id"].bytes, row["sender_device"]),
                row["client_id"].bytes,
                row["digest"],
                microseconds_of(row["sent_at"]),
                row["epoch"] + (row["content"] == GroupContent.COMMIT.value),
            )
            for row in reversed(accepted)
        ],
    )


class Outdated(Exception):
    """What an entity accepts is no longer staged: its turns are not stored."""


@dataclass(frozen=True, slots=True)
class Application:
    """An application message to store."""

    group_id: UUID
    accepted: Accepted
    expires_at: int
    message: bytes


@dataclass(frozen=True, slots=True)
class Staged:
    """A staged proposal or commit that is accepted. `epoch`: in which it was made."""

    accepted: Accepted
    expires_at: int
    id: UUID
    content: GroupContent
    epoch: int


_INSERT = """
insert into group_messages (group_id, seq, epoch, content, sender_account_id, sender_device, client_id, digest, sent_at,
    expires_at, message)
select group_id, seq, epoch, 'application', account_id, device, client_id, digest, sent_at, expires_at, message
from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::uuid[], $5::int[], $6::uuid[], $7::bytea[], $8::timestamptz[],
    $9::timestamptz[], $10::bytea[])
    as new (group_id, seq, epoch, account_id, device, client_id, digest, sent_at, expires_at, message)
"""


async def insert(uow: UnitOfWork, messages: Sequence[Application]) -> None:
    """Inserts application messages of groups. One statement."""
    rows = [
        (
            each.group_id,
            each.accepted.seq,
            each.accepted.epoch,
            UUID(bytes=each.accepted.sender.account),
            each.accepted.sender.number,
            UUID(bytes=each.accepted.client_id),
            each.accepted.digest,
            time_of(each.accepted.sent_at),
            time_of(each.expires_at),
            each.message,
        )
        for each in messages
    ]
    await uow.execute(_INSERT, *zip(*rows, strict=True))


# The statements of an acceptance. $1 is the staged change; what one of them writes, the next ones see.
_MESSAGE = """
insert into group_messages (group_id, seq, epoch, content, sender_account_id, sender_device, client_id, digest, sent_at,
    expires_at, message)
select group_id, $2, $3, $4, $5, $6, $7, $8, $9, $10, message from group_staged_changes where id = $1
"""
_PARTS = """
with staged as (select * from group_staged_changes where id = $1), gone as (
    delete from group_parts using staged
    where group_parts.group_id = staged.group_id and name = any(staged.deleted_names)
)
insert into group_parts (group_id, name, data)
select staged.group_id, part.name, part.data
from staged cross join unnest(staged.put_names, staged.put_data) as part (name, data)
on conflict (group_id, name) do update set data = excluded.data
"""
_EPOCH = """
update groups set version = version + 1, epoch = $2, group_info = coalesce(staged.group_info, groups.group_info)
from group_staged_changes as staged where staged.id = $1 and groups.id = staged.group_id
"""
_REMOVED = """
with staged as (
    select group_id, removed_leaves, added_account_ids from group_staged_changes where id = $1
), removed as (
    update group_devices as device set until = $2 from staged
    where device.group_id = staged.group_id and device.leaf = any(staged.removed_leaves) and device.until is null
    returning device.group_id, device.account_id, device.device, staged.added_account_ids
), forgotten as (
    delete from group_joiners as joiner using removed where joiner.group_id = removed.group_id
    and joiner.account_id = removed.account_id and joiner.device = removed.device
)
delete from group_members as member using removed
where member.group_id = removed.group_id and member.account_id = removed.account_id
and member.account_id <> all(removed.added_account_ids) and not exists (
    select from group_devices as other where other.group_id = member.group_id
    and other.account_id = member.account_id and other.until is null
    and not exists (select from removed as gone where gone.account_id = other.account_id and gone.device = other.device)
)
"""
_ADDED = """
with staged as (select * from group_staged_changes where id = $1), added as (
    select staged.group_id, new.* from staged cross join unnest(
        staged.added_account_ids, staged.added_devices, staged.added_leaves, staged.added_secrets
    ) as new (account_id, device, leaf, secrets)
), places as (
    insert into group_devices (account_id, device, group_id, leaf, since, read_to)
    select account_id, device, group_id, leaf, $2::bigint, $2::bigint - 1 from added
    on conflict (account_id, device, group_id)
        do update set leaf = excluded.leaf, since = excluded.since, read_to = excluded.read_to, until = null
), welcome as (
    insert into group_welcomes (group_id, epoch, suite, encrypted_group_info, tree, expires_at)
    select group_id, $3::bigint, suite, encrypted_group_info, tree, $4::timestamptz from staged where tree is not null
), joiners as (
    insert into group_joiners (account_id, device, group_id, epoch, seq, secrets)
    select account_id, device, group_id, $3::bigint, $2::bigint, secrets from added where secrets is not null
    on conflict (account_id, device, group_id)
        do update set epoch = excluded.epoch, seq = excluded.seq, secrets = excluded.secrets
)
insert into group_members (account_id, group_id, role, joined_at)
select distinct account_id, group_id, 'member', $5::timestamptz from added
on conflict (account_id, group_id) do nothing
"""
_ROLES = """
with staged as (select * from group_staged_changes where id = $1 and role_names is not null), named as (
    select member.account_id, member.group_id, coalesce(given.role, 'member') as role
    from staged join group_members as member on member.group_id = staged.group_id
    left join lateral unnest(staged.role_account_ids, staged.role_names) as given (account_id, role)
        on given.account_id = member.account_id
)
update group_members as member set role = named.role from named
where member.group_id = named.group_id and member.account_id = named.account_id and member.role <> named.role
"""
_STAGED = "delete from group_staged_changes where id = $1"


async def accept(uow: UnitOfWork, change: Staged) -> None:
    """Makes a staged change the group's: its message, the public state, members and devices, and the Welcome of those
    who come in. Up to seven statements. Raises Outdated."""
    accepted = change.accepted
    stored = await uow.execute(
        _MESSAGE,
        *(change.id, accepted.seq, change.epoch, change.content.value),
        *(UUID(bytes=accepted.sender.account), accepted.sender.number, UUID(bytes=accepted.client_id)),
        *(accepted.digest, time_of(accepted.sent_at), time_of(change.expires_at)),
    )
    if stored != "INSERT 0 1":
        raise Outdated
    await uow.execute(_PARTS, change.id)
    await uow.execute(_EPOCH, change.id, accepted.epoch)
    if change.content is GroupContent.COMMIT:
        await uow.execute(_REMOVED, change.id, accepted.seq)
        await uow.execute(
            _ADDED,
            *(change.id, accepted.seq, accepted.epoch, time_of(change.expires_at), time_of(accepted.sent_at)),
        )
        await uow.execute(_ROLES, change.id)
    await uow.execute(_STAGED, change.id)
