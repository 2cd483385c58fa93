"""SQL of conversations for their entities: what an entity is loaded from, and what its turns store."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.devices.queries import devices_of
from features.messaging.machine import Accepted, Address, Message, Stored
from features.messaging.model import MemberState, microseconds_of, time_of
from features.relationships.visibility import apart

MAX_REMEMBERED = 512
"""Messages of a conversation that are read when it is loaded."""

_DEVICES = devices_of("array(select account_id from conversation_members where conversation_id = $1)")
_MEMBERS = f"""
select member.account_id, member.state, device.number, device.session_id,
    {apart("member.account_id", "other.account_id")} as apart
from conversation_members as member
join conversation_members as other
    on other.conversation_id = member.conversation_id and other.account_id <> member.account_id
left join ({_DEVICES}) as device on device.account_id = member.account_id
where member.conversation_id = $1
"""
_ACCEPTED = """
select seq, sender_account_id, sender_device, client_id, digest, sent_at from messages
where conversation_id = $1 and sent_at > $2 order by seq desc limit $3
"""

_INSERT_MESSAGES = """
insert into messages (conversation_id, seq, sender_account_id, sender_device, client_id, digest, sent_at)
select * from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::int[], $5::uuid[], $6::bytea[], $7::timestamptz[])
"""
_INSERT_PAYLOADS = """
insert into message_payloads (account_id, device, conversation_id, seq, previous, sender_account_id, sender_device,
    client_id, sent_at, expires_at, ciphertext)
select * from unnest($1::uuid[], $2::int[], $3::uuid[], $4::bigint[], $5::bigint[], $6::uuid[], $7::int[], $8::uuid[],
    $9::timestamptz[], $10::timestamptz[], $11::bytea[])
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


async def load(uow: UnitOfWork, conversation_id: UUID, remembered_since: datetime) -> Stored:
    """Returns what is stored of a conversation; without members if it does not exist. Two statements."""
    rows = await uow.fetch(_MEMBERS, conversation_id)
    accepted = await uow.fetch(_ACCEPTED, conversation_id, remembered_since, MAX_REMEMBERED) if rows else []
    return Stored(
        {row["account_id"].bytes: MemberState(row["state"]) for row in rows},
        {
            Address(row["account_id"].bytes, row["number"]): row["session_id"].bytes
            for row in rows
            if row["number"] is not None
        },
        any(row["apart"] for row in rows),
        [
            Accepted(
                row["seq"],
                Address(row["sender_account_id"].bytes, row["sender_device"]),
                row["client_id"].bytes,
                row["digest"],
                microseconds_of(row["sent_at"]),
            )
            for row in reversed(accepted)
        ],
    )


async def insert(uow: UnitOfWork, messages: Sequence[tuple[UUID, Message]]) -> None:
    """Inserts messages of conversations, and what waits for devices. Two statements."""
    rows = [
        (
            conversation_id,
            message.accepted.seq,
            UUID(bytes=message.accepted.sender.account),
            message.accepted.sender.number,
            UUID(bytes=message.accepted.client_id),
            message.accepted.digest,
            time_of(message.accepted.sent_at),
        )
        for conversation_id, message in messages
    ]
    await uow.execute(_INSERT_MESSAGES, *zip(*rows, strict=True))
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
