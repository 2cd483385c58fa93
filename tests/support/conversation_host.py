"""Conversations, groups, live sessions and a realtime host in the test process: what messages pass but Ray."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import pytest

from actors.conversations import KIND
from actors.conversations.calls import ConversationCalls
from actors.conversations.effects import ConversationEffects
from actors.conversations.entity import ConversationEntity
from actors.conversations.requests import MessageRequests
from actors.delivery.listener import PushListener
from actors.groups import KIND as GROUPS_KIND
from actors.groups.calls import GroupCalls
from actors.groups.effects import GroupEffects
from actors.groups.requests import GroupRequests
from actors.realtime.host import RealtimeHost
from actors.runtime.hosting.committer import Committer
from actors.runtime.hosting.turns import TurnRunner
from actors.runtime.shard_map import shard_of
from actors.runtime.store.shard_store import ShardStore
from actors.runtime.store.turn_writes import TurnWrites
from actors.runtime.transport.router import Router
from actors.sessions import KIND as SESSIONS
from actors.sessions.calls import SessionCalls
from actors.sessions.effects import SessionEffects
from brands import Brand
from client.api import MessagingApi
from client.realtime import RealtimeClient, Ticket
from cluster.postgres import open_database
from cluster.redis import open_redis
from features.groups.policy import GroupsPolicy
from features.groups.ports import GROUPS
from features.live_sessions.policy import LiveSessionPolicy
from features.live_sessions.ports import LIVE_SESSIONS
from features.live_sessions.presence import PresenceAccess
from features.messaging.policy import MessagingPolicy
from features.messaging.ports import CONVERSATIONS
from features.ports import Ports
from features.realtime.policy import RealtimePolicy
from features.realtime.store import TicketHolder, TicketStore
from tests.support.entity_host import NODE, SECRET, EntityHost, OneHost, shard_rows
from tests.support.environment import CLUSTER_SECRET, Environment, open_environment
from tests.support.kind_context import kind_context
from tests.support.mail_trap import MailTrap
from tests.support.member import Member
from tests.support.servers import Servers, forget_brand, fresh_database

_GROUPS_POLICY = GroupsPolicy()
_KINDS = (KIND.name, GROUPS_KIND.name, SESSIONS.name)


class ConversationHost(EntityHost):
    """The host of conversations, groups and live sessions."""

    tickets: TicketStore
    url: str

    def entity(self, conversation_id: str) -> ConversationEntity:
        """A conversation in memory."""
        id = conversation_id.replace("-", "")
        entity = self.mailboxes.shard(KIND.name, shard_of(id)).mailboxes[id].entity
        assert isinstance(entity, ConversationEntity)
        return entity

    def forget(self, conversation_id: str) -> None:
        """Drops a conversation from memory, as a crash does."""
        id = conversation_id.replace("-", "")
        self.mailboxes.shard(KIND.name, shard_of(id)).mailboxes.pop(id, None)

    def forget_group(self, group_id: str) -> None:
        """Drops a group from memory, as a crash does."""
        id = group_id.replace("-", "")
        self.mailboxes.shard(GROUPS_KIND.name, shard_of(id)).mailboxes.pop(id, None)

    def client(self, member: Member, **options: Any) -> RealtimeClient:
        """A socket client of a member's sign-in session."""

        async def ticket() -> Ticket:
            return Ticket(await self.tickets.issue(TicketHolder(member.id, member.tokens["session_id"]), 60), self.url)

        return RealtimeClient(ticket, backoff_s=(0.02, 0.1), **options)


def give_sockets(host: ConversationHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Accounts of clients have sockets at this host."""

    async def ticket(api: MessagingApi) -> Ticket:
        tokens = api._connection.tokens
        holder = TicketHolder(str(UUID(tokens.account_id)), str(UUID(tokens.session_id)))
        return Ticket(await host.tickets.issue(holder, 60), host.url)

    monkeypatch.setattr(MessagingApi, "ticket", ticket)


@contextlib.asynccontextmanager
async def conversation_host(
    brand: str, database_address: str, redis_url: str, policy: MessagingPolicy, group_policy: GroupsPolicy
) -> AsyncIterator[tuple[ConversationHost, Ports]]:
    """Starts a host over empty storage. Yields it with the ports of its entities."""
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))  # short: a Unix socket's path has at most 107 bytes
        database = await open_database(database_address, pool_size=2)
        stack.push_async_callback(database.close)
        redis = open_redis(redis_url)
        stack.push_async_callback(redis.aclose)
        store = await ShardStore.open(database_address, application="test")
        stack.push_async_callback(store.close)
        leadership = (await store.lead("leader", 3600.0)).leadership
        assert leadership is not None
        await store.write_map(leadership, [*shard_rows(KIND.name), *shard_rows(GROUPS_KIND.name)])
        writes = await TurnWrites.open(database_address)
        stack.push_async_callback(writes.close)
        router = Router(OneHost(str(folder / "host.sock"), _KINDS), SECRET)
        parts = {"database": database, "redis": redis, "router": router, "secret": SECRET, "node": NODE}
        tagging = {**parts, "brand": brand, "secret": CLUSTER_SECRET.encode()}
        conversations = ConversationEffects(kind_context(policy, **tagging))
        sessions = SessionEffects(kind_context(LiveSessionPolicy(), **parts))
        stack.push_async_callback(sessions.close)
        groups = GroupEffects(kind_context(group_policy, **tagging))
        committer = Committer(writes)
        runners = (
            TurnRunner(KIND, conversations, store, committer),
            TurnRunner(GROUPS_KIND, groups, store, committer),
            TurnRunner(SESSIONS, sessions, None),
        )
        host = ConversationHost(runners, str(folder / "host.sock"))
        stack.push_async_callback(host.mailboxes.close)
        stack.callback(host.stop)
        await host.start()
        await router.start(60)
        stack.push_async_callback(router.close)
        live = SessionCalls(router, PresenceAccess(database), timeout=60)
        host.tickets = TicketStore(redis, "test")
        listener = PushListener(SECRET)
        name = await listener.start(NODE, "127.0.0.1", folder)
        stack.push_async_callback(listener.stop)
        calls = ConversationCalls(router)
        group_calls = GroupCalls(router)
        requests = (MessageRequests(calls), GroupRequests(group_calls))
        realtime = RealtimeHost(str(name), live, host.tickets, RealtimePolicy(), requests=requests)
        listener.serve(realtime)
        host.url = f"ws://127.0.0.1:{await realtime.start('127.0.0.1')}/realtime"
        stack.push_async_callback(realtime.stop)
        ports = Ports().connect(CONVERSATIONS, calls).connect(GROUPS, group_calls).connect(LIVE_SESSIONS, live)
        yield host, ports


@contextlib.asynccontextmanager
async def open_with_conversations(
    brand: Brand,
    servers: Servers,
    template: str,
    folder: Path,
    mail_trap: MailTrap,
    policy: MessagingPolicy,
    group_policy: GroupsPolicy = _GROUPS_POLICY,
) -> AsyncIterator[tuple[Environment, ConversationHost]]:
    """Opens a brand, over empty storage, whose conversations are in memory."""
    await forget_brand(servers, brand.name)
    redis_url = servers.redis.address()
    set = brand.with_policy(policy).with_policy(group_policy)
    async with (
        fresh_database(servers, template) as address,
        conversation_host(brand.name, address, redis_url, policy, group_policy) as (host, ports),
        open_environment(set, address, redis_url, folder, mail_trap, ports) as environment,
    ):
        yield environment, host
