"""Feed entities in the test process: a real host behind a real socket, without Ray."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

from actors.feeds import KIND
from actors.feeds.calls import FeedCalls
from actors.feeds.effects import FeedEffects
from actors.feeds.entity import FeedEntity
from actors.runtime.errors import HostUnavailable
from actors.runtime.hosting.mailboxes import Mailboxes
from actors.runtime.hosting.turns import TurnRunner
from actors.runtime.shard_map import SHARDS, Endpoint, MapPosition, MapView, shard_of
from actors.runtime.store.rows import ShardRow
from actors.runtime.transport.router import Router
from actors.runtime.transport.stream import HostConnection
from cluster.postgres import open_database
from features.feed.policy import FeedPolicy
from tests.support.kind_context import kind_context

SECRET = b"the cluster's secret"
_HOST, _NODE = "host-a", "node-1"


class _Control:
    """A map that names the one host."""

    node = _NODE

    def __init__(self, socket: str) -> None:
        self._socket = socket

    async def watch(self, known: MapPosition) -> MapView:
        if known.version >= 1:
            await asyncio.sleep(3600)
        return MapView(1, {_HOST: Endpoint("host-0", _NODE, "", self._socket)}, {KIND.name: [_HOST] * SHARDS})

    async def check_watch(self) -> None:
        """It is here."""

    async def deliver(self, host: Endpoint, caller: bytes, frame: bytes) -> bytes:
        raise HostUnavailable("no Ray here")


class TimelineHost:
    """Owns every shard of the kind. `stop` is the crash of the only host."""

    def __init__(self, effects: FeedEffects, socket: str) -> None:
        self._socket = socket
        self._connections: set[HostConnection] = set()
        self._server: asyncio.Server | None = None
        self.mailboxes = Mailboxes(_HOST, lambda _kind, _number: "")
        self.mailboxes.add_kind(TurnRunner(KIND, effects, None))
        self.mailboxes.serve_until = time.monotonic() + 3600
        for number in range(SHARDS):
            shard = self.mailboxes.shard(KIND.name, number)
            shard.ownership.mapped(ShardRow(KIND.name, number, _HOST, 1), _HOST)
            shard.ownership.loaded(1)
            self.mailboxes.let_in(shard)

    async def start(self) -> None:
        self._server = await asyncio.get_running_loop().create_unix_server(
            lambda: HostConnection(SECRET, self.mailboxes.deliver, self._connections), self._socket
        )

    def entity(self, entity_id: str) -> FeedEntity:
        """An entity in memory."""
        entity = self.mailboxes.shard(KIND.name, shard_of(entity_id)).mailboxes[entity_id].entity
        assert isinstance(entity, FeedEntity)
        return entity

    def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            if connection.transport is not None:
                connection.transport.abort()


HOSTS: dict[int, TimelineHost] = {}
"""The timeline host of each environment, by `id()` of the environment."""


@contextlib.asynccontextmanager
async def timelines(
    database_address: str, folder: Path, policy: FeedPolicy
) -> AsyncIterator[tuple[TimelineHost, FeedCalls]]:
    """Starts a host. Yields it with a client."""
    database = await open_database(database_address, pool_size=2)
    effects = FeedEffects(kind_context(policy, database=database))
    socket = str(folder / "host.sock")
    host = TimelineHost(effects, socket)
    await host.start()
    router = Router(_Control(socket), SECRET)
    await router.start(5)
    try:
        yield host, FeedCalls(router)
    finally:
        await router.close()
        host.stop()
        await host.mailboxes.close()
        await database.close()
