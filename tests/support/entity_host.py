"""Entities in the test process: a real host behind a real socket, without Ray."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from actors.runtime.errors import HostUnavailable
from actors.runtime.hosting.deduplication import Origin
from actors.runtime.hosting.mailboxes import Mailboxes
from actors.runtime.hosting.reads import answer_read
from actors.runtime.hosting.turns import TurnRunner
from actors.runtime.shard_map import SHARDS, Endpoint, MapPosition, MapView
from actors.runtime.store.rows import ShardRow
from actors.runtime.transport.frames import DONE, pack_answer
from actors.runtime.transport.reads import WHAT as READ
from actors.runtime.transport.stream import HostConnection
from actors.runtime.value import Value

SECRET = b"the cluster's secret"
HOST, NODE = "host-a", "node-1"


class OneHost:
    """A map that names the one host of these kinds."""

    node = NODE

    def __init__(self, socket: str, kinds: Sequence[str]) -> None:
        self._socket = socket
        self._kinds = kinds

    async def watch(self, known: MapPosition) -> tuple[MapView, bool]:
        if known.version >= 1:
            await asyncio.sleep(3600)
        owners = {name: [HOST] * SHARDS for name in self._kinds}
        return MapView(1, {HOST: Endpoint("host-0", NODE, "", self._socket)}, owners), True

    async def check_watch(self) -> None:
        """It is here."""

    async def deliver(self, host: Endpoint, caller: bytes, frame: bytes) -> bytes:
        raise HostUnavailable("no Ray here")


def shard_rows(kind: str) -> list[ShardRow]:
    """The one host owns every shard."""
    return [ShardRow(kind, number, HOST, 1) for number in range(SHARDS)]


class EntityHost:
    """Owns every shard of the kinds. `stop` is the crash of the only host."""

    def __init__(self, runners: Sequence[TurnRunner], socket: str) -> None:
        self._socket = socket
        self._connections: set[HostConnection] = set()
        self._server: asyncio.Server | None = None
        self.mailboxes = Mailboxes(HOST, lambda _kind, _number: "")
        self.mailboxes.serve_until = time.monotonic() + 3600
        self.mailboxes.on_runtime_call = self._read
        for runner in runners:
            self.mailboxes.add_kind(runner)
            for row in shard_rows(runner.kind.name):
                shard = self.mailboxes.shard(row.kind, row.shard)
                shard.ownership.mapped(row, HOST)
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

    def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            if connection.transport is not None:
                connection.transport.abort()
