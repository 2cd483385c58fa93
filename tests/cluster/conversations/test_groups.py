"""Messages to groups while their host is killed: what was acknowledged is stored, once, in one order."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import asyncpg
import pytest

from actors.groups.calls import GroupCalls
from actors.groups.entity import KIND_NAME
from actors.runtime.shard_map import shard_of
from features.groups.errors import GroupsUnavailable
from features.groups.model import GroupMessage, Posted
from features.groups.policy import GroupsPolicy
from features.identity import Identity
from tests.cluster.conftest import Platform, eventually, running
from tests.support.servers import Servers, fresh_database

GROUPS, MEMBERS = 3, 4
BETWEEN = 8
"""Messages of each member that are stored before and after the failure."""

_GROUP = """
with people as (
    insert into accounts (id, email, password_hash, created_at)
    select id, id || '@example.org', 'none', now() from unnest($2::uuid[]) as id returning id
), registered as (
    insert into devices (account_id, number, identity_key, session_id, registered_at)
    select id, 1, 'none', id, now() from people
), published as (
    insert into device_prekeys (account_id, device, signed, last_resort, uploaded_at)
    select id, 1, 'none', 'none', now() from people
), founded as (
    insert into groups (id, digest, epoch, version, group_info, created_at) values ($1, '', 0, 0, '', now())
    returning id
), places as (
    insert into group_devices (account_id, device, group_id, leaf, since, read_to)
    select people.id, 1, founded.id, 0, 0, 0 from founded cross join people
)
insert into group_members (account_id, group_id, role, joined_at)
select people.id, founded.id, 'member', now() from founded cross join people
"""
_STORED = "select group_id, seq, sender_account_id, client_id from group_messages order by group_id, seq"


@dataclass
class Writer:
    """A member of a group; the session of its only device has the id of its account."""

    account: UUID
    group: UUID
    acknowledged: dict[UUID, Posted] = field(default_factory=dict)

    async def write(self, calls: GroupCalls, stopping: asyncio.Event) -> None:
        """Sends one message after the other. What is not acknowledged is repeated, as clients do."""
        while not stopping.is_set():
            message = GroupMessage(uuid4(), b"sealed")
            while message.client_id not in self.acknowledged:
                try:
                    sender = Identity(self.account, self.account)
                    self.acknowledged[message.client_id] = await calls.send(self.group, sender, message, 0)
                except GroupsUnavailable:
                    await asyncio.sleep(0.1)


@pytest.mark.slow
async def test_acknowledged_messages_survive_the_crash_of_a_host(
    platform: Platform, servers: Servers, template: str
) -> None:
    async with fresh_database(servers, template) as address:
        writers = await _people(address)
        async with running(address, kinds={"actors.groups:KIND": GroupsPolicy()}) as runtime:
            calls, stopping = GroupCalls(runtime.router), asyncio.Event()
            busy = [asyncio.create_task(writer.write(calls, stopping)) for writer in writers]
            await _more(writers)
            victim = await runtime.owner(KIND_NAME, shard_of(writers[0].group.hex))
            os.kill(await runtime.pid(victim), signal.SIGKILL)
            await _more(writers)
            stopping.set()
            await asyncio.gather(*busy)
            await _check(address, writers)


async def _people(address: str) -> list[Writer]:
    writers: list[Writer] = []
    connection = await asyncpg.connect(address)
    for _ in range(GROUPS):
        group, accounts = uuid4(), [uuid4() for _ in range(MEMBERS)]
        await connection.execute(_GROUP, group, accounts)
        writers += [Writer(account, group) for account in accounts]
    await connection.close()
    return writers


async def _more(writers: list[Writer]) -> None:
    """Waits until messages are stored again, of everybody."""
    enough = {id(writer): len(writer.acknowledged) + BETWEEN for writer in writers}
    await eventually(lambda: all(len(each.acknowledged) >= enough[id(each)] for each in writers), timeout=120)


async def _check(address: str, writers: list[Writer]) -> None:
    """Compares what is stored with what the writers were told."""
    connection = await asyncpg.connect(address)
    rows = await connection.fetch(_STORED)
    await connection.close()
    told = {id: (writer, posted) for writer in writers for id, posted in writer.acknowledged.items()}
    assert sorted(row["client_id"] for row in rows) == sorted(told), "each message once, and no other"
    for row in rows:
        writer, posted = told[row["client_id"]]
        assert (row["group_id"], row["sender_account_id"], row["seq"]) == (writer.group, writer.account, posted.seq)
    for writer in writers:
        numbers = [posted.seq for posted in writer.acknowledged.values()]
        assert numbers == sorted(numbers), "in the order in which they were acknowledged"
