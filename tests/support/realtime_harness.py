"""Live session entities and realtime hosts in one process, over the real data plane, sockets, Redis and Postgres.

Only Ray is replaced: a `ShardProcess` has the memory and the listener of a shard host, and tests change the map.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

from actors.delivery.listener import PushListener
from actors.realtime.host import RealtimeHost
from actors.runtime.hosting.mailboxes import Mailboxes
from actors.runtime.hosting.turns import TurnRunner
from actors.runtime.shard_map import SHARDS, Endpoint, MapView
from actors.runtime.store.rows import ShardRow
from actors.runtime.transport.router import NoControlPlane, Router
from actors.runtime.transport.stream import HostConnection
from actors.sessions import KIND
from actors.sessions.calls import SessionCalls
from actors.sessions.effects import KIND_NAME
from client.realtime import RealtimeClient, Ticket
from cluster.postgres import Database, open_database
from cluster.redis import Redis, open_redis
from features.live_sessions.policy import LiveSessionPolicy
from features.live_sessions.presence import PresenceAccess
from features.realtime.policy import RealtimePolicy
from features.realtime.store import TicketHolder, TicketStore
from tests.support.kind_context import kind_context
from tests.support.servers import Servers

NODE = "node"
SECRET = b"the cluster's secret"
BRAND = "test"


class ShardProcess:
    """The entities of all session shards, and a stream listener."""

    def __init__(self, name: str, router: Router, database: Database, redis: Redis, directory: Path) -> None:
        self.name = name
        self.mailboxes = Mailboxes(name, lambda _kind, _shard: name)
        self._connections: set[HostConnection] = set()
        self._server: asyncio.Server | None = None
        parts = {"brand": BRAND, "host": name, "node": NODE, "secret": SECRET, "router": router}
        self.context = kind_context(LiveSessionPolicy(), database=database, redis=redis, **parts)
        self._path = str(directory / f"{name}.sock")
        self.handler: Any = None

    async def start(self, epoch: int) -> Endpoint:
        self.handler = KIND.handler(self.context)
        mailboxes = self.mailboxes
        mailboxes.add_kind(TurnRunner(KIND, self.handler, None))
        mailboxes.serve_until = float("inf")
        for number in range(SHARDS):
            shard = mailboxes.shard(KIND_NAME, number)
            shard.ownership.mapped(ShardRow(KIND_NAME, number, self.name, epoch), self.name)
            shard.ownership.loaded(epoch)
            mailboxes.let_in(shard)
        self._server = await asyncio.get_running_loop().create_unix_server(
            lambda: HostConnection(SECRET, mailboxes.deliver, self._connections), self._path
        )
        return Endpoint(self.name, NODE, "", self._path)

    async def kill(self) -> None:
        """Drops everything in memory, without notice."""
        assert self._server is not None
        self._server.close()
        for connection in list(self._connections):
            if connection.transport is not None:
                connection.transport.abort()
        await self.mailboxes.close()
        await self.handler.close()

    def snapshots(self) -> dict[tuple[int, str], tuple[int, Any]]:
        """Returns what a handoff would send: (shard, entity) to (version, snapshot)."""
        return {
            (shard.number, entity_id): (KIND.version, mailbox.entity.snapshot())
            for shard in self.mailboxes.present()
            for entity_id, mailbox in shard.mailboxes.items()
            if mailbox.entity is not None
        }


class RealtimeHarness:
    """A brand's live sessions. `sessions` is the client that features use."""

    def __init__(self, redis_url: str, database: str, directory: Path, policy: RealtimePolicy) -> None:
        self.redis = open_redis(redis_url)
        self.tickets = TicketStore(self.redis, BRAND)
        self.policy = policy
        self.sessions: SessionCalls
        self.hosts: dict[str, tuple[RealtimeHost, PushListener, str]] = {}
        self._address = database
        self._directory = directory
        self._router: Router
        self.shards: ShardProcess
        self._epoch = 0

    async def start(self) -> None:
        self._database = await open_database(self._address, pool_size=2)
        self._router = Router(NoControlPlane(NODE), SECRET)
        self.sessions = SessionCalls(self._router, PresenceAccess(self._database), timeout=60)
        await self.start_shards()
        await self.start_host()

    async def start_shards(self) -> None:
        """Starts an empty shard process that owns every session from now on."""
        self._epoch += 1
        name = f"shards-{secrets.token_hex(4)}"
        self.shards = ShardProcess(name, self._router, self._database, self.redis, self._directory)
        endpoint = await self.shards.start(self._epoch)
        self._router.follow(MapView(self._epoch, {name: endpoint}, {KIND_NAME: [name] * SHARDS}))

    async def crash_shards(self) -> None:
        """Kills the process with all session entities and starts another."""
        await self.shards.kill()
        await self.start_shards()

    async def move_shards(self) -> None:
        """Hands all session shards to another process, with their state."""
        old = self.shards
        old.mailboxes.serve_until = 0.0
        await asyncio.gather(*(shard.quiet.wait() for shard in old.mailboxes.present()))
        await self.start_shards()
        for (number, entity_id), (version, snapshot) in old.snapshots().items():
            shard = self.shards.mailboxes.shard(KIND_NAME, number)
            entity = KIND.restore(entity_id, version, snapshot, self.shards.context)
            mailbox = shard.mailboxes.setdefault(entity_id, _slot())
            if mailbox.entity is None:
                mailbox.entity = entity
        await old.kill()

    async def start_host(self) -> str:
        """Starts one more realtime host. Returns its URL."""
        listener = PushListener(SECRET)
        name = await listener.start(NODE, "127.0.0.1", self._directory)
        host = RealtimeHost(str(name), self.sessions, self.tickets, self.policy)
        listener.serve(host)
        url = f"ws://127.0.0.1:{await host.start('127.0.0.1')}/realtime"
        self.hosts[url] = (host, listener, str(name))
        return url

    async def kill_host(self, url: str) -> None:
        """Kills a realtime host and its sockets."""
        host, listener, _ = self.hosts.pop(url)
        await listener.stop()
        await host.stop()

    async def drain_host(self, url: str) -> None:
        """Drains and stops a realtime host."""
        host, listener, _ = self.hosts.pop(url)
        await host.drain()
        await host.stop()
        await listener.stop()

    def set_policy(self, **values: float) -> None:
        """Sets fields of the LiveSessionPolicy, of sessions that are created from now on."""
        handler = self.shards.handler
        handler.context = replace(handler.context, policy=replace(handler.context.policy, **values))

    @property
    def url(self) -> str:
        """The URL of the newest host."""
        return next(reversed(self.hosts))

    async def ticket(self, user: UUID, device: UUID) -> Ticket:
        ticket = await self.tickets.issue(TicketHolder(str(user), str(device)), self.policy.ticket_ttl_s)
        return Ticket(ticket, self.url)

    def client(self, user: UUID, device: UUID, **options: Any) -> RealtimeClient:
        return RealtimeClient(lambda: self.ticket(user, device), backoff_s=(0.02, 0.1), **options)

    async def stop(self) -> None:
        for host, listener, _ in self.hosts.values():
            await listener.stop()
            await host.stop()
        await self._router.close()
        await self.shards.kill()
        await self._database.close()
        await self.redis.aclose()


def _slot() -> Any:
    from actors.runtime.hosting.mailbox import Mailbox

    return Mailbox()


@asynccontextmanager
async def open_harness(
    servers: Servers, database_address: str, policy: RealtimePolicy | None = None
) -> AsyncIterator[RealtimeHarness]:
    """Opens a harness over empty storage."""
    redis_url = servers.redis.address()
    async with open_redis(redis_url) as redis:
        await redis.flushdb()
    with TemporaryDirectory() as directory:  # short: paths of Unix sockets have at most 107 bytes
        harness = RealtimeHarness(
            redis_url, database_address, Path(directory), policy or RealtimePolicy(drain_spread_s=0.2)
        )
        await harness.start()
        try:
            yield harness
        finally:
            await harness.stop()
