"""SQL of conversations for their entities: what an entity is loaded from, and what its turns store."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.devices.queries import devices_of
from features.messaging.model import MemberState
from features.messaging.records import Accepted, Address, Message, Stored, Waiting
from features.microseconds import microseconds_of, time_of
from features.relationships.visibility import apart

_DEVICES = devices_of("array(select account_id from conversation_members where conversation_id = $1)")
_MEMBERS = f"""
select member.account_id, member.state, device.number, device.session_id, conversation.asked,
    {apart("member.account_id", "other.account_id")} as apart
from conversation_members as member
join conversations as conversation on conversation.id = member.conversation_id
join conversation_members as other
    on other.conversation_id = member.conversation_id and other.account_id <> member.account_id
left join ({_DEVICES}) as device on device.account_id = member.account_id
where member.conversation_id = $1
"""
# Each next sender is found by the index, so the newest messages of each cost as much as there are senders.
_ACCEPTED = """
with recursive senders as (
    (
        select sender_account_id, sender_device from messages where conversation_id = $1
        order by sender_account_id, sender_device limit 1
    )
    union all
    select following.* from senders cross join lateral (
        select m.sender_account_id, m.sender_device from messages as m where m.conversation_id = $1
        and (m.sender_account_id, m.sender_device) > (senders.sender_account_id, senders.sender_device)
        order by m.sender_account_id, m.sender_device limit 1
    ) as following
)
select sent.* from senders cross join lateral (
    select seq, m.sender_account_id, m.sender_device, client_id, digest, sent_at from messages as m
    where m.conversation_id = $1 and m.sender_account_id = senders.sender_account_id
    and m.sender_device = senders.sender_device and sent_at > $2
    order by seq desc limit $3
) as sent order by seq
"""
_WAITING = """
select asked.account_id, asked.device, waiting.* from unnest($2::uuid[], $3::int[]) as asked (account_id, device)
cross join lateral (
    select count(*) filter (where conversation_id = $1) as messages,
        coalesce(sum(octet_length(ciphertext)) filter (where conversation_id = $1), 0) as bytes,
        count(*) as all_messages, coalesce(sum(octet_length(ciphertext)), 0) as all_bytes
    from message_payloads as payload where payload.account_id = asked.account_id and payload.device = asked.device
) as waiting
"""

# What a message was accepted on is compared with what is stored: an entity that has not learned of a block, or of a
# device that came or went, stores nothing. (Nobody who blocks or removes a device depends on reaching the entity.)
_STORED_DEVICES = devices_of("array[new.sender_account_id, new.other_id]")
_INSERT_MESSAGES = f"""
insert into messages (conversation_id, seq, sender_account_id, sender_device, client_id, digest, sent_at)
select conversation_id, seq, sender_account_id, sender_device, client_id, digest, sent_at
from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::int[], $5::uuid[], $6::bytea[], $7::timestamptz[], $8::uuid[],
    $9::uuid[], $10::bigint[], $11::bigint[])
    as new (conversation_id, seq, sender_account_id, sender_device, client_id, digest, sent_at, session_id,
    other_id, devices, numbers)
where not {apart("new.sender_account_id", "new.other_id")} and (
    select count(*) = new.devices and sum(number) = new.numbers and bool_or(
        account_id = new.sender_account_id and number = new.sender_device and session_id = new.session_id)
    from ({_STORED_DEVICES}) as stored
)
"""
_INSERT_PAYLOADS = """
insert into message_payloads (account_id, device, conversation_id, seq, previous, sender_account_id, sender_device,
    client_id, sent_at, expires_at, ciphertext)
select * from unnest($1::uuid[], $2::int[], $3::uuid[], $4::bigint[], $5::bigint[], $6::uuid[], $7::int[], $8::uuid[],
    $9::timestamptz[], $10::timestamptz[], $11::bytea[])
"""
_SET_ASKED = """
update conversations set asked = changed.asked, expires_at = changed.expires_at
from unnest($1::uuid[], $2::int[], $3::timestamptz[]) as changed (id, asked, expires_at)
where conversations.id = changed.id
"""
_SET_STATES = """
with changed as (
    select * from unnest($1::uuid[], $2::uuid[], $3::text[]) as changed (conversation_id, account_id, state)
), declined as (
    delete from message_payloads as waiting using changed
    where changed.state = 'declined' and waiting.account_id = changed.account_id
    and waiting.conversation_id = changed.conversation_id
)
update conversation_members as member set state = changed.state from changed
where member.conversation_id = changed.conversation_id and member.account_id = changed.account_id
"""


class StateChange(NamedTuple):
    """What a member has made of a conversation."""

    conversation_id: UUID
    account_id: UUID
    state: MemberState


class RequestChange(NamedTuple):
    """How many messages somebody who has not accepted a conversation was sent, and when it ends; None: never."""

    conversation_id: UUID
    asked: int
    expires_at: datetime | None


class Outdated(Exception):
    """What an entity knows of members and devices is not what is stored: its turns are not stored."""


async def load(
    uow: UnitOfWork, conversation_id: UUID, remembered_since: datetime, remembered_per_device: int, *, counts: bool
) -> Stored:
    """Returns what is stored of a conversation; without members if it does not exist. Two statements, and one that
    `counts` what waits for its devices."""
    rows = await uow.fetch(_MEMBERS, conversation_id)
    remembered = remembered_since, remembered_per_device
    accepted = await uow.fetch(_ACCEPTED, conversation_id, *remembered) if rows else []
    devices = {
        Address(row["account_id"].bytes, row["number"]): row["session_id"].bytes
        for row in rows
        if row["number"] is not None
    }
    return Stored(
        {row["account_id"].bytes: MemberState(row["state"]) for row in rows},
        devices,
        any(row["apart"] for row in rows),
        [
            Accepted(
                row["seq"],
                Address(row["sender_account_id"].bytes, row["sender_device"]),
                row["client_id"].bytes,
                row["digest"],
                microseconds_of(row["sent_at"]),
            )
            for row in accepted
        ],
        rows[0]["asked"] if rows else 0,
        await waiting(uow, conversation_id, devices) if counts else None,
    )


async def waiting(uow: UnitOfWork, conversation_id: UUID, devices: Collection[Address]) -> dict[Address, Waiting]:
    """Returns what waits for devices. One statement, none for no devices."""
    if not devices:
        return {}
    accounts, numbers = zip(*((UUID(bytes=device.account), device.number) for device in devices), strict=True)
    rows = await uow.fetch(_WAITING, conversation_id, accounts, numbers)
    return {
        Address(row["account_id"].bytes, row["device"]): Waiting(
            row["messages"], row["bytes"], row["all_messages"], row["all_bytes"]
        )
        for row in rows
    }


async def insert(uow: UnitOfWork, messages: Sequence[tuple[UUID, Message]]) -> None:
    """Inserts messages of conversations, and what waits for devices. Two statements. Raises Outdated."""
    rows = [
        (
            conversation_id,
            message.accepted.seq,
            UUID(bytes=message.accepted.sender.account),
            message.accepted.sender.number,
            UUID(bytes=message.accepted.client_id),
            message.accepted.digest,
            time_of(message.accepted.sent_at),
            UUID(bytes=message.basis.session),
            UUID(bytes=message.basis.other),
            message.basis.devices,
            message.basis.numbers,
        )
        for conversation_id, message in messages
    ]
    if await uow.execute(_INSERT_MESSAGES, *zip(*rows, strict=True)) != f"INSERT 0 {len(rows)}":
        raise Outdated
    payloads = [
        (
            UUID(bytes=payload.account),
            payload.number,
            conversation_id,
            message.accepted.seq,
            previous,
            UUID(bytes=message.accepted.sender.account),
            message.accepted.sender.number,
            UUID(bytes=message.accepted.client_id),
            time_of(message.accepted.sent_at),
            time_of(message.expires_at),
            payload.ciphertext,
        )
        for conversation_id, message in messages
        for payload, previous in zip(message.payloads, message.previous, strict=True)
    ]
    if payloads:
        await uow.execute(_INSERT_PAYLOADS, *zip(*payloads, strict=True))


async def set_states(uow: UnitOfWork, changes: Sequence[StateChange]) -> None:
    """Stores states of members. What waits for somebody who declines is deleted. One statement."""
    conversations, accounts, states = zip(*changes, strict=True)
    await uow.execute(_SET_STATES, conversations, accounts, [state.value for state in states])


async def set_asked(uow: UnitOfWork, changes: Sequence[RequestChange]) -> None:
    """Stores how far requests have come. One statement. Raises Outdated if one of them has ended."""
    if await uow.execute(_SET_ASKED, *zip(*changes, strict=True)) != f"UPDATE {len(changes)}":
        raise Outdated
