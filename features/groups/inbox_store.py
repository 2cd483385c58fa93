"""SQL of what waits for devices in groups: a message is stored once, and each device has how far it has read."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from cluster.postgres import UnitOfWork
from crypto.mls import welcome_for
from features.devices.model import DeviceAddress
from features.groups.model import MAX_LISTED_BYTES, GroupContent, GroupDelivery, Waiting

_FOR_DEVICE = """
message.seq > own.since and message.seq <= coalesce(own.until, 9223372036854775807)
and (message.sender_account_id, message.sender_device) is distinct from (own.account_id, own.device)
"""
"""Rows of group_messages `message` that are for the device in the row of group_devices `own`."""

_WAITING = f"""
with own as (select * from group_devices where account_id = $1 and device = $2), said as (
    select own.group_id, found.*, coalesce((
        select message.seq from group_messages as message
        where message.group_id = own.group_id and message.seq < found.seq and {_FOR_DEVICE}
        order by message.seq desc limit 1
    ), own.since) as previous from own cross join lateral (
        select message.seq, epoch, content, sender_account_id, sender_device, client_id, sent_at,
            case when octet_length(message.message) <= {MAX_LISTED_BYTES} then message.message end as message,
            null::integer as suite, null::bytea as secrets
        from group_messages as message
        where message.group_id = own.group_id and message.seq > own.read_to and message.seq >= $3 and {_FOR_DEVICE}
        and (message.seq, message.group_id) > ($3, $4) and message.expires_at > $5
        order by message.seq limit $6
    ) as found
), welcomes as (
    select joiner.group_id, joiner.seq, joiner.epoch, 'welcome' as content, adding.sender_account_id,
        adding.sender_device, coalesce(adding.client_id, joiner.group_id) as client_id,
        coalesce(adding.sent_at, $5) as sent_at, welcome.encrypted_group_info as message, welcome.suite,
        joiner.secrets, 0::bigint as previous
    from group_joiners as joiner join group_welcomes as welcome using (group_id, epoch)
    left join group_messages as adding on adding.group_id = joiner.group_id and adding.seq = joiner.seq
    where joiner.account_id = $1 and joiner.device = $2 and (joiner.seq, joiner.group_id) > ($3, $4)
)
select * from (
    select first.*, sum(coalesce(octet_length(message), 0)) over (order by seq, group_id) as bytes from (
        select * from said union all select * from welcomes order by seq, group_id limit $6
    ) as first
) as page where bytes - coalesce(octet_length(message), 0) < $7 order by seq, group_id
"""
_ONE = f"""
select message.message from group_devices as own join group_messages as message using (group_id)
where own.account_id = $1 and own.device = $2 and own.group_id = $3 and message.seq = $4 and {_FOR_DEVICE}
"""
_ACKNOWLEDGE = """
with read as (
    select group_id, least(seq, (
        select max(message.seq) from group_messages as message where message.group_id = acknowledged.group_id
    )) as seq from unnest($3::uuid[], $4::bigint[]) as acknowledged (group_id, seq)
), welcomed as (
    delete from group_joiners as joiner using read where joiner.account_id = $1 and joiner.device = $2
    and joiner.group_id = read.group_id and joiner.seq <= read.seq
), left_for_good as (
    delete from group_devices as own using read where own.account_id = $1 and own.device = $2
    and own.group_id = read.group_id and own.until <= read.seq
)
update group_devices as own set read_to = read.seq from read where own.account_id = $1 and own.device = $2
and own.group_id = read.group_id and own.read_to < read.seq and (own.until is null or own.until > read.seq)
"""


async def waiting(
    uow: UnitOfWork, device: DeviceAddress, after: Waiting, limit: int, max_bytes: int, now: datetime
) -> list[GroupDelivery]:
    """Returns up to `limit` messages of groups that wait for a device, oldest first, none after those that have
    `max_bytes` together. One statement."""
    arguments = (device.account_id, device.number, after.seq, after.group_id, now, limit, max_bytes)
    return [_delivery(row) for row in await uow.fetch(_WAITING, *arguments)]


async def one(uow: UnitOfWork, device: DeviceAddress, group_id: UUID, seq: int) -> bytes | None:
    """Returns a message to a group that is, or was, for a device."""
    found: bytes | None = await uow.fetchval(_ONE, device.account_id, device.number, group_id, seq)
    return found


async def acknowledge(uow: UnitOfWork, device: DeviceAddress, read: Mapping[UUID, int]) -> None:
    """Notes how far a device has read in groups. One statement, the unit's last."""
    await uow.execute_last(_ACKNOWLEDGE, device.account_id, device.number, list(read), list(read.values()))


def _delivery(row: Any) -> GroupDelivery:
    content, message = GroupContent(row["content"]), row["message"]
    if content is GroupContent.WELCOME:
        message = welcome_for(row["suite"], row["secrets"], message)
    sender = row["sender_account_id"]
    return GroupDelivery(
        row["group_id"],
        row["seq"],
        row["previous"],
        content,
        row["epoch"],
        None if sender is None else DeviceAddress(sender, row["sender_device"]),
        row["client_id"],
        row["sent_at"],
        message,
    )
