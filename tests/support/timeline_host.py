"""Timelines and counters in the test process: a real host behind a real socket, without Ray."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from actors.counters import KIND as COUNTER_KIND
from actors.counters.calls import CounterCalls
from actors.counters.effects import CounterEffects
from actors.feeds import KIND
from actors.feeds.calls import FeedCalls
from actors.feeds.effects import FeedEffects
from actors.feeds.entity import FeedEntity
from actors.runtime.errors import HostUnavailable
from actors.runtime.hosting.committer import Committer
from actors.runtime.hosting.deduplication import Origin
from actors.runtime.hosting.mailboxes import Mailboxes
from actors.runtime.hosting.reads import answer_read
from actors.runtime.hosting.turns import TurnRunner
from actors.runtime.shard_map import SHARDS, Endpoint, MapPosition, MapView, shard_of
from actors.runtime.store.rows import ShardRow
from actors.runtime.store.shard_store import ShardStore
from actors.runtime.store.turn_writes import TurnWrites
from actors.runtime.transport.frames import DONE, pack_answer
from actors.runtime.transport.reads import WHAT as READ
from actors.runtime.transport.router import Router
from actors.runtime.transport.stream import HostConnection
from actors.runtime.value import Value
from cluster.postgres import open_database
from features.counters.policy import CounterPolicy
from features.counters.ports import COUNTERS
from features.feed.policy import FeedPolicy
from features.feed.ports import FEEDS
from features.ports import Ports
from tests.support.kind_context import kind_context

SECRET = b"the cluster's secret"
_HOST, _NODE = "host-a", "node-1"
_KINDS = (KIND.name, COUNTER_KIND.name)


class _Control:
    """A map that names the one host."""

    node = _NODE

    def __init__(self, socket: str) -> None:
        self._socket = socket

    async def watch(self, known: MapPosition) -> MapView:
        if known.version >= 1:
            await asyncio.sleep(3600)
        owners = {name: [_HOST] * SHARDS for name in _KINDS}
        return MapView(1, {_HOST: Endpoint("host-0", _NODE, "", self._socket)}, owners)

    async def check_watch(self) -> None:
        """It is here."""

    async def deliver(self, host: Endpoint, caller: bytes, frame: bytes) -> bytes:
        raise HostUnavailable("no Ray here")


class TimelineHost:
    """Owns every shard of the kinds. `stop` is the crash of the only host."""

    def __init__(self, runners: Sequence[TurnRunner], socket: str) -> None:
        self._socket = socket
        self._connections: set[HostConnection] = set()
        self._server: asyncio.Server | None = None
        self.mailboxes = Mailboxes(_HOST, lambda _kind, _number: "")
        self.mailboxes.serve_until = time.monotonic() + 3600
        self.mailboxes.on_runtime_call = self._read
        for runner in runners:
            self.mailboxes.add_kind(runner)
            for row in _rows(runner.kind.name):
                shard = self.mailboxes.shard(row.kind, row.shard)
                shard.ownership.mapped(row, _HOST)
                shard.ownership.loaded(row.epoch)
                self.mailboxes.let_in(shard)

    def _read(self, origin: Origin, call: int, what: str, body: Value) -> None:
        """Answers as ShardOwner does."""
        assert what == READ
        origin.answer(pack_answer(call, DONE, answer_read(self.mailboxes, body)))

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


def _rows(kind: str) -> list[ShardRow]:
    """The one host owns every shard."""
    return [ShardRow(kind, number, _HOST, 1) for number in range(SHARDS)]


@contextlib.asynccontextmanager
async def entities(
    database_address: str, folder: Path, policy: FeedPolicy, counters: CounterPolicy
) -> AsyncIterator[tuple[TimelineHost, Ports]]:
    """Starts a host. Yields it with the ports of its entities."""
    database = await open_database(database_address, pool_size=2)
    store = await ShardStore.open(database_address, application="test")
    leadership, _ = await store.lead("leader", 3600.0)
    assert leadership is not None
    await store.write_map(leadership, _rows(COUNTER_KIND.name))
    writes = await TurnWrites.open(database_address)
    timelines = FeedEffects(kind_context(policy, database=database))
    counting = CounterEffects(kind_context(counters, database=database))
    runners = (
        TurnRunner(KIND, timelines, None),
        TurnRunner(COUNTER_KIND, counting, store, Committer(writes)),
    )
    socket = str(folder / "host.sock")
    host = TimelineHost(runners, socket)
    await host.start()
    router = Router(_Control(socket), SECRET)
    await router.start(60)
    try:
        yield host, Ports().connect(FEEDS, FeedCalls(router)).connect(COUNTERS, CounterCalls(router))
    finally:
        await router.close()
        host.stop()
        await host.mailboxes.close()
        await counting.close()
        await writes.close()
        await store.close()
        await database.close()
