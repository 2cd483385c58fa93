"""SQL of conversations for the service: opening, settings, inboxes, acknowledgements, export and erasure.

entity_store.py has what the conversation's entity reads and writes.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.devices.model import DeviceAddress
from features.feature import ExportedRow
from features.messaging.model import (
    Acknowledgement,
    ConversationKind,
    Delivery,
    MemberSettings,
    Membership,
    MemberState,
)
from features.microseconds import microseconds_of
from features.paging import PageRequest
from features.relationships.visibility import apart

if TYPE_CHECKING:
    from asyncpg import Record as Row

_BEFORE_ALL = (datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))

_OPEN = """
with opened as (
    insert into conversations (id, kind, created_at, expires_at) values ($1, 'pair', $2, $6)
    on conflict do nothing returning id
)
insert into conversation_members (conversation_id, account_id, state, invited_by, joined_at)
select opened.id, member.id, member.state, member.invited_by, $2
from opened cross join unnest($3::uuid[], $4::text[], $5::uuid[]) as member (id, state, invited_by)
"""
_PENDING = """
select count(*) from conversation_members where invited_by = $1 and state <> 'active' and joined_at > $2
"""

_MEMBERSHIP = f"""
select own.*, conversations.kind, other.account_id as other_id from conversation_members as own
join conversations on conversations.id = own.conversation_id
join conversation_members as other on other.conversation_id = own.conversation_id and other.account_id <> own.account_id
where own.account_id = $1 and not {apart("$1", "other.account_id")}
"""
_FIND = f"{_MEMBERSHIP} and own.conversation_id = $2"
_LIST = f"""
{_MEMBERSHIP} and own.state = $2 and (own.joined_at, own.conversation_id) < ($3, $4)
order by own.joined_at desc, own.conversation_id desc limit $5
"""
_SET = """
update conversation_members set
    muted_until = case when $3 then $4 else muted_until end,
    archived = coalesce($5, archived), pinned = coalesce($6, pinned)
where account_id = $1 and conversation_id = $2
"""

_FIRST_WAITING = f"""
select waiting.*, other.account_id as other_id from message_payloads as waiting
join conversation_members as other
    on other.conversation_id = waiting.conversation_id and other.account_id <> waiting.account_id
where waiting.account_id = $1 and device = $2 and (seq, waiting.conversation_id) > ($3, $4) and expires_at > $5
and not {apart("$1", "other.account_id")}
order by seq, waiting.conversation_id limit $6
"""
# Sizes are read where a row says where its ciphertext is, which is read for what is returned only.
_INBOX = f"""
select * from (
    select first.*, sum(octet_length(ciphertext)) over (order by seq, conversation_id) as bytes
    from ({_FIRST_WAITING}) as first
) as page where bytes - octet_length(ciphertext) < $7 order by seq, conversation_id
"""
_ACKNOWLEDGE = """
delete from message_payloads as waiting using unnest($3::uuid[], $4::bigint[]) as acknowledged (conversation_id, seq)
where account_id = $1 and device = $2 and waiting.conversation_id = acknowledged.conversation_id
and waiting.seq <= acknowledged.seq
"""


async def open_pair(
    uow: UnitOfWork,
    conversation_id: UUID,
    me: UUID,
    other: UUID,
    state: MemberState,
    now: datetime,
    ends: datetime | None,
) -> bool:
    """Inserts the conversation of two accounts; `state` is that of the other, `ends` when it ends unless the other
    accepts it. Returns False if there is one."""
    states = [MemberState.ACTIVE.value, state.value]
    return await uow.execute(_OPEN, conversation_id, now, [me, other], states, [None, me], ends) != "INSERT 0 0"


async def pending(uow: UnitOfWork, account_id: UUID, since: datetime) -> int:
    """Returns how many conversations that the account has opened since then are not accepted."""
    return int(await uow.fetchval(_PENDING, account_id, since))


async def find(uow: UnitOfWork, account_id: UUID, conversation_id: UUID) -> Membership | None:
    """Returns a conversation of an account, unless the other is apart from it."""
    row = await uow.fetchrow(_FIND, account_id, conversation_id)
    return _membership(row) if row else None


async def memberships(uow: UnitOfWork, account_id: UUID, state: MemberState, page: PageRequest) -> list[Membership]:
    """Returns up to `limit + 1` conversations of an account, newest first."""
    position = (page.cursor.at, page.cursor.id) if page.cursor else _BEFORE_ALL
    return [_membership(row) for row in await uow.fetch(_LIST, account_id, state.value, *position, page.limit + 1)]


async def change_settings(
    uow: UnitOfWork,
    account_id: UUID,
    conversation_id: UUID,
    *,
    mutes: bool,
    muted_until: datetime | None,
    archived: bool | None,
    pinned: bool | None,
) -> None:
    """Changes what is not None; `muted_until` if `mutes`."""
    await uow.execute(_SET, account_id, conversation_id, mutes, muted_until, archived, pinned)


async def inbox(
    uow: UnitOfWork, account_id: UUID, device: int, page: PageRequest, max_bytes: int, now: datetime
) -> list[Delivery]:
    """Returns up to `limit + 1` messages that wait for a device, oldest first, none after those that have `max_bytes`
    together."""
    after = (microseconds_of(page.cursor.at), page.cursor.id) if page.cursor else (-1, UUID(int=0))
    rows = await uow.fetch(_INBOX, account_id, device, *after, now, page.limit + 1, max_bytes)
    return [
        Delivery(
            row["conversation_id"],
            ConversationKind.PAIR,
            row["other_id"],
            row["seq"],
            row["previous"],
            DeviceAddress(row["sender_account_id"], row["sender_device"]),
            row["client_id"],
            row["sent_at"],
            row["ciphertext"],
        )
        for row in rows
    ]


async def acknowledge(
    uow: UnitOfWork, account_id: UUID, device: int, acknowledgements: Sequence[Acknowledgement]
) -> None:
    """Deletes what a device has stored."""
    conversations = [each.conversation_id for each in acknowledgements]
    numbers = [each.seq for each in acknowledgements]
    await uow.execute_last(_ACKNOWLEDGE, account_id, device, conversations, numbers)


async def forget_device(uow: UnitOfWork, account_id: UUID, device: int) -> None:
    """Deletes what waits for a device that is gone."""
    await uow.execute("delete from message_payloads where account_id = $1 and device = $2", account_id, device)


_CONVERSATIONS_OF = "select conversation_id from conversation_members where account_id = $1"


async def conversations_of(uow: UnitOfWork, account_id: UUID) -> Collection[UUID]:
    """Returns the conversations of an account."""
    return [row["conversation_id"] for row in await uow.fetch(_CONVERSATIONS_OF, account_id)]


_CORRESPONDENTS = f"""
select other.account_id from conversation_members as own
join conversation_members as other on other.conversation_id = own.conversation_id and other.account_id <> own.account_id
where own.account_id = $1 and own.state = 'active' and other.state = 'active' and not {apart("$1", "other.account_id")}
order by own.joined_at desc, own.conversation_id desc limit $2
"""


async def correspondents(uow: UnitOfWork, account_id: UUID, limit: int) -> Sequence[UUID]:
    """Returns up to `limit` accounts with whom an account has a conversation that both have accepted, those of the
    newest conversations first, but nobody who is apart from it. One statement."""
    return [row["account_id"] for row in await uow.fetch(_CORRESPONDENTS, account_id, limit)]


# What is not a conversation's part by reference is deleted by its members and its number.
_ERASE = """
with doomed as (
    select conversation_id as id from conversation_members where account_id = $1 limit $2
), members as (
    select conversation_id, account_id from conversation_members where conversation_id in (select id from doomed)
), waiting as (
    delete from message_payloads using members
    where message_payloads.account_id = members.account_id
    and message_payloads.conversation_id = members.conversation_id
), accepted as (
    delete from messages where conversation_id in (select id from doomed)
)
delete from conversations where id in (select id from doomed)
"""


async def erase(uow: UnitOfWork, account_id: UUID, limit: int, _now: datetime) -> bool:
    """Erases up to `limit` conversations of an account, for both members. Returns whether there may be more."""
    return await uow.execute(_ERASE, account_id, limit) == f"DELETE {limit}"


_EXPORTED = (
    (
        "conversation_members",
        "select conversation_id, state, muted_until, archived, pinned, joined_at from conversation_members"
        " where account_id = $1",
    ),
    (
        "messages",
        "select conversation_id, seq, sender_device, client_id, sent_at from messages"
        f" where sender_account_id = $1 and conversation_id in ({_CONVERSATIONS_OF})",
    ),
    (
        "message_payloads",
        "select conversation_id, device, seq, sender_account_id, sender_device, sent_at, expires_at"
        " from message_payloads where account_id = $1",
    ),
)
"""Without the ciphertext, which the platform cannot read."""


async def export(uow: UnitOfWork, account_id: UUID) -> AsyncIterator[ExportedRow]:
    """Yields what the slice knows about an account."""
    for table, statement in _EXPORTED:
        async for row in uow.stream(statement, account_id):
            yield ExportedRow(table, dict(row))


def _membership(row: "Row") -> Membership:
    return Membership(
        row["conversation_id"],
        ConversationKind(row["kind"]),
        MemberState(row["state"]),
        row["other_id"],
        MemberSettings(row["muted_until"], row["archived"], row["pinned"]),
        row["joined_at"],
    )
