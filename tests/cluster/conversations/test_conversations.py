"""Messages while the hosts of their conversations are killed: what was acknowledged is stored, once, in one order."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import asyncpg
import pytest

from actors.conversations.calls import ConversationCalls
from actors.conversations.entity import KIND_NAME
from actors.runtime.shard_map import shard_of
from features.devices.model import DeviceAddress
from features.identity import Identity
from features.messaging.errors import MessagingUnavailable
from features.messaging.model import Envelope, Outgoing, Sent, pair_id
from features.messaging.policy import MessagingPolicy
from tests.cluster.conftest import Platform, RunningRuntime, eventually, running
from tests.support.servers import Servers, fresh_database

PAIRS = 6
BETWEEN = 8 * PAIRS
"""Messages that are stored before and after each failure."""

_PAIR = """
with people as (
    insert into accounts (id, email, password_hash, created_at)
    select id, id || '@example.org', 'none', now() from unnest($2::uuid[]) as id returning id
), registered as (
    insert into devices (account_id, number, identity_key, session_id, registered_at)
    select id, 1, 'none', id, now() from people
), published as (
    insert into device_prekeys (account_id, device, signed, last_resort, uploaded_at)
    select id, 1, 'none', 'none', now() from people
), opened as (
    insert into conversations (id, kind, created_at) values ($1, 'pair', now()) returning id
)
insert into conversation_members (conversation_id, account_id, state, joined_at)
select opened.id, people.id, 'active', now() from opened cross join people
"""
_STORED = """
select conversation_id, seq, account_id, client_id, previous from message_payloads order by conversation_id, seq
"""


@dataclass
class Writer:
    """One of two people; the session of the only device has the id of its account."""

    account: UUID
    other: UUID
    acknowledged: dict[UUID, Sent] = field(default_factory=dict)

    async def write(self, calls: ConversationCalls, stopping: asyncio.Event) -> None:
        """Sends one message after the other. What is not acknowledged is repeated, as clients do."""
        while not stopping.is_set():
            envelope = Envelope(DeviceAddress(self.other, 1), b"sealed")
            message = Outgoing(uuid4(), (envelope,))
            while message.client_id not in self.acknowledged:
                try:
                    sender = Identity(self.account, self.account)
                    sent = await calls.send(pair_id(self.account, self.other), sender, message)
                    self.acknowledged[message.client_id] = sent
                except MessagingUnavailable:
                    await asyncio.sleep(0.1)


@pytest.mark.slow
async def test_acknowledged_messages_survive_crashes_of_hosts(
    platform: Platform, servers: Servers, template: str
) -> None:
    async with fresh_database(servers, template) as address:
        writers = await _people(address)
        kinds = {"actors.conversations:KIND": MessagingPolicy()}
        async with running(address, kinds=kinds) as runtime:
            calls, stopping = ConversationCalls(runtime.router), asyncio.Event()
            busy = [asyncio.create_task(writer.write(calls, stopping)) for writer in writers]
            for victim in (writers[0], writers[-1]):
                await _more(writers)
                await _kill_host_of(runtime, victim)
            await _more(writers)
            stopping.set()
            await asyncio.gather(*busy)
            await _check(address, writers)


async def _people(address: str) -> list[Writer]:
    """Pairs of people, both of whom write."""
    writers: list[Writer] = []
    connection = await asyncpg.connect(address)
    for _ in range(PAIRS):
        one, other = uuid4(), uuid4()
        await connection.execute(_PAIR, pair_id(one, other), [one, other])
        writers += [Writer(one, other), Writer(other, one)]
    await connection.close()
    return writers


async def _more(writers: list[Writer]) -> None:
    """Waits until messages are stored again, of everybody."""
    enough = {id(writer): len(writer.acknowledged) + BETWEEN // PAIRS for writer in writers}
    await eventually(lambda: all(len(each.acknowledged) >= enough[id(each)] for each in writers), timeout=120)


async def _kill_host_of(runtime: RunningRuntime, writer: Writer) -> None:
    shard = shard_of(pair_id(writer.account, writer.other).hex)
    os.kill(await runtime.pid(await runtime.owner(KIND_NAME, shard)), signal.SIGKILL)


async def _check(address: str, writers: list[Writer]) -> None:
    """Compares what is stored for devices with what their writers were told."""
    connection = await asyncpg.connect(address)
    rows = await connection.fetch(_STORED)
    await connection.close()
    told = {id: (writer, sent) for writer in writers for id, sent in writer.acknowledged.items()}
    assert sorted(row["client_id"] for row in rows) == sorted(told), "each message once, and no other"
    newest: dict[tuple[UUID, UUID], int] = {}
    for row in rows:
        writer, sent = told[row["client_id"]]
        assert (row["conversation_id"], row["account_id"]) == (pair_id(writer.account, writer.other), writer.other)
        assert row["seq"] == sent.seq
        key = row["conversation_id"], row["account_id"]
        assert row["previous"] == newest.get(key, 0), "nothing is missing in between"
        newest[key] = row["seq"]
    for writer in writers:
        numbers = [sent.seq for sent in writer.acknowledged.values()]
        assert numbers == sorted(numbers), "in the order in which they were acknowledged"
