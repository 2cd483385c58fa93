"""What a conversation that nobody uses takes in its host's memory, from ten seconds after its last message, when it
rests, until it is dropped after two minutes.

It is one of two people with a device each, who have sent one message each in the last seven days. This process loads
conversations from the database of a platform by the code of hosts, has them rest as hosts do while others are loaded,
and reads its own memory. `awake_bytes` is one that does not rest yet; `busy_bytes` and `busy_awake_bytes` are the same
for one in which each device has sent as many as are remembered.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import psutil

from benchmarks.figure import Extra, Figure
from benchmarks.size import sized

if TYPE_CHECKING:
    from actors.conversations.calls import ConversationCalls
    from cluster.postgres import Database

FIGURES = ("messaging.idle_conversation_bytes",)

_WARM_UP, _CONVERSATIONS, _BUSY = sized(500, 20), sized(4_000, 200), sized(2_000, 100)
_AT_ONCE = 64
_WITHIN = timedelta(minutes=5)
_ADD = """
with conversation as (
    insert into conversations (id, kind, created_at)
    select gen_random_uuid(), 'pair', now() from generate_series(1, $1::int) returning id
), account as (
    insert into accounts (id, email, password_hash, created_at)
    select gen_random_uuid(), id::text || side, '', now() from conversation cross join generate_series(1, 2) as side
    returning id, email
), device as (
    insert into devices (account_id, number, identity_key, session_id, registered_at)
    select id, 1, '', gen_random_uuid(), now() from account
), prekeys as (
    insert into device_prekeys (account_id, device, signed, last_resort, uploaded_at)
    select id, 1, '', '', now() from account
), member as (
    insert into conversation_members (conversation_id, account_id, state, joined_at)
    select left(email, 36)::uuid, id, 'active', now() from account returning conversation_id, account_id
)
insert into messages (conversation_id, seq, sender_account_id, sender_device, client_id, digest, sent_at)
select conversation_id, 1764158645123456 + row_number() over (), account_id, 1, gen_random_uuid(),
    decode(repeat('00', 16), 'hex'), now()
from member cross join generate_series(1, $2::int)
"""
_IDS = "select distinct conversation_id from messages order by 1"


def run(_wanted: Callable[[str], bool]) -> Iterator[Figure]:
    """Adds conversations to a platform, loads them, and reads the process's memory."""
    from benchmarks.platform.installation import running_platform
    from benchmarks.platform.pairs import database_address

    with running_platform() as installation, tempfile.TemporaryDirectory() as folder:
        yield asyncio.run(_measure(database_address(installation), f"{folder}/host.sock"))


async def _measure(address: str, socket: str) -> Figure:
    from actors.conversations import KIND
    from actors.conversations.calls import ConversationCalls
    from actors.conversations.effects import ConversationEffects
    from actors.runtime.hosting.committer import Committer
    from actors.runtime.hosting.resting import REST_SECONDS, Resting
    from actors.runtime.hosting.turns import TurnRunner
    from actors.runtime.store.shard_store import ShardStore
    from actors.runtime.store.turn_writes import TurnWrites
    from actors.runtime.transport.router import Router
    from cluster.postgres import connect_database
    from features.messaging.policy import MessagingPolicy
    from tests.support.entity_host import SECRET, EntityHost, OneHost
    from tests.support.kind_context import kind_context

    async with connect_database(address, pool_size=4) as database:
        router = Router(OneHost(socket, (KIND.name,)), SECRET)
        effects = ConversationEffects(kind_context(MessagingPolicy(), database=database, router=router))
        store, writes = await ShardStore.open(address, application="benchmark"), await TurnWrites.open(address)
        host = EntityHost([TurnRunner(KIND, effects, store, Committer(writes))], socket)
        await host.start()
        await router.start(60)
        calls = ConversationCalls(router)
        resting = Resting(host.mailboxes)

        async def rest() -> None:
            await resting.rest(time.monotonic() + REST_SECONDS)

        async def loaded_bytes(count: int, messages: int, *, awake: bool = False) -> float:
            return await _loaded_bytes(calls, await _add(database, count, messages), None if awake else rest)

        remembered = MessagingPolicy().remembered_per_device
        await loaded_bytes(_WARM_UP, 1)
        idle, busy = await loaded_bytes(_CONVERSATIONS, 1), await loaded_bytes(_BUSY, remembered)
        # Last: none of those may rest while others are measured, since they would take what it sets free.
        awake = await loaded_bytes(_CONVERSATIONS, 1, awake=True)
        busy_awake = await loaded_bytes(_BUSY, remembered, awake=True)
        await router.close()
        host.stop()
        await host.mailboxes.close()
        await writes.close()
        await store.close()
    extra: dict[str, Extra] = {"awake_bytes": awake, "busy_bytes": busy, "busy_awake_bytes": busy_awake}
    return Figure(FIGURES[0], idle, "B", samples=_CONVERSATIONS, extra=extra)


async def _add(database: Database, count: int, messages: int) -> list[UUID]:
    """Adds so many conversations, in which each device has sent so many messages."""
    await database.pool.execute("truncate messages, message_payloads")
    await database.pool.execute(_ADD, count, messages)
    await database.pool.execute(
        "analyze accounts, conversations, conversation_members, devices, device_prekeys, messages"
    )
    return [row["conversation_id"] for row in await database.pool.fetch(_IDS)]


async def _loaded_bytes(
    calls: ConversationCalls, ids: Sequence[UUID], rest: Callable[[], Awaitable[None]] | None
) -> float:
    """Returns by how many bytes this process has grown for each of the conversations that it has loaded."""
    before = _own_bytes()
    for first in range(0, len(ids), _AT_ONCE):
        await calls.reload(ids[first : first + _AT_ONCE], _WITHIN)
        if rest is not None:
            await rest()
    return (_own_bytes() - before) / len(ids)


def _own_bytes() -> int:
    gc.collect()
    return int(psutil.Process().memory_full_info().uss)
