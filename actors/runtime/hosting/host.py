"""The shard host: a Ray actor that owns shards under a lease and serves calls on its own listener."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
import time
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

import ray
import structlog

from actors.runtime.errors import HostUnavailable
from actors.runtime.hosting.ray_calls import answer_batch
from actors.runtime.hosting.report import Reporter
from actors.runtime.hosting.shard_owner import ShardOwner
from actors.runtime.hosting.turns import TurnRunner
from actors.runtime.kind import HostContext, load_kind
from actors.runtime.options import RuntimeOptions
from actors.runtime.store.rows import DATABASE_ERRORS, Claim, HostRow
from actors.runtime.store.shard_store import ShardStore
from actors.runtime.transport.calls import MAX_SECONDS
from actors.runtime.transport.frames import CALLS, unpack
from actors.runtime.transport.ray_control import RayControl
from actors.runtime.transport.router import Router
from actors.runtime.transport.stream import HostConnection
from cluster.logs import configure_logs

_BEATS_PER_LEASE = 5
_BEAT_SECONDS = 0.5
"""At most this long between two reports, however long the lease."""
_SWEEP_SECONDS = 5.0

log = structlog.get_logger(__name__)


class ShardHost:
    """A Ray actor: named, detached, restarted by Ray, spread over nodes."""

    async def __init__(self, options: RuntimeOptions, name: str) -> None:  # type: ignore[misc]
        configure_logs(options.log_level, brand=options.name, process=name)
        self._options = options
        self._name = name
        self._shard_owner: ShardOwner | None = None
        self._connections: set[HostConnection] = set()
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._main = asyncio.create_task(self._run(), name="shard-host")

    # --- what the coordinator and routers call ------------------------------------------------------------

    async def notify_map(self, version: int) -> None:
        """The map reached ``version``."""
        if self._shard_owner is not None and self._shard_owner.mailboxes.host:
            await self._shard_owner.sync(version)

    async def release(self, version: int, claims: Sequence[Claim]) -> tuple[list[Claim], list[Claim]]:
        """See ShardOwner.release."""
        if self._shard_owner is None:
            return [], []
        return await self._shard_owner.release(version, claims)

    async def deliver(self, host: str, caller: bytes, frame: bytes) -> bytes:
        """The fallback data plane: a CALLS frame in, the ANSWERS frame to all of it out.

        Ray may deliver a call long after it was made, so it names the incarnation it is for.
        """
        items = unpack(frame[4:])
        if self._shard_owner is None or items[0] != CALLS or host != self._shard_owner.mailboxes.host:
            raise HostUnavailable(f"{host} is not here")
        return await answer_batch(self._shard_owner.mailboxes, caller, items)

    async def status(self) -> dict[str, Any]:
        """Process id, node, and how many connections routers keep here (for operators and tests)."""
        return {"pid": os.getpid(), "node": _node(), "connections": len(self._connections)}

    # --- life ---------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        store = await self._open_store()
        # The lease has connections of its own: it must not wait behind what entities write. One is for the map.
        leases = await self._open_store(max_connections=2)
        secret = self._options.secret.encode()
        router = Router(RayControl(self._options.name, self._options.coordinators), secret)
        router.follow_map()
        shard_owner = self._shard_owner = ShardOwner(leases, router)
        ip = self._options.listen or ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
        for path in self._options.kinds:
            kind = load_kind(path)
            context = HostContext(self._name, ip, router, store, self._options.config)
            shard_owner.mailboxes.add_kind(TurnRunner(kind, await kind.open_handler(context), store))
        address, socket_path = await self._listen(secret, ip)
        reporter = Reporter(self._name, shard_owner.mailboxes)
        self._spawn(reporter.measure_lag())
        self._spawn(self._sweep(shard_owner, reporter))
        while True:
            row = HostRow(f"{self._name}.{time.time_ns():x}", self._name, _node(), address, socket_path, False, {})
            await self._live(row, leases, shard_owner, reporter)

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _open_store(self, max_connections: int = 4) -> ShardStore:
        while True:
            try:
                return await ShardStore.open(
                    self._options.database, application=self._name, max_connections=max_connections
                )
            except DATABASE_ERRORS as error:
                log.warning("database.unavailable", error=str(error))
                await asyncio.sleep(0.5)

    async def _listen(self, secret: bytes, ip: str) -> tuple[str, str]:
        assert self._shard_owner is not None
        receive = self._shard_owner.mailboxes.deliver

        def connection() -> HostConnection:
            return HostConnection(secret, receive, self._connections)

        loop = asyncio.get_running_loop()
        tcp = await loop.create_server(connection, ip, 0, family=socket.AF_INET)
        port = tcp.sockets[0].getsockname()[1]
        folder = Path(self._options.socket_directory or tempfile.gettempdir()) / f"entativa-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True, parents=True)
        path = folder / f"{self._options.name}-{self._name}-{os.getpid()}.sock"
        unix = await loop.create_unix_server(connection, str(path))
        self._servers = [tcp, unix]
        path.chmod(0o600)
        return f"{ip}:{port}", str(path)

    async def _live(self, row: HostRow, leases: ShardStore, shard_owner: ShardOwner, reporter: Reporter) -> None:
        """One incarnation: heartbeats until it is declared dead."""
        lease = self._options.lease
        pause = min(_BEAT_SECONDS, lease / _BEATS_PER_LEASE)
        shard_owner.mailboxes.host = row.host
        registered = False
        while True:
            sent_at = time.monotonic()
            try:
                if not registered:
                    await leases.with_timeout(lease, leases.register(row, lease))
                    registered = True
                released, refused = shard_owner.moves()
                load = reporter.report(sent_at) | {"released": released, "refused": refused}
                version = await leases.with_timeout(lease, leases.heartbeat(row.host, lease, load))
            except DATABASE_ERRORS as error:
                log.warning("heartbeat.failed", host=row.host, error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(pause / 4)
                continue
            if version is None:
                break
            shard_owner.mailboxes.serve_until = sent_at + lease
            if version > shard_owner.version:
                self._spawn(shard_owner.sync_quietly())
            await asyncio.sleep(max(0.0, pause - (time.monotonic() - sent_at)))
        log.warning("host.declared_dead", host=row.host)
        shard_owner.abandon()
        for connection in list(self._connections):
            connection.abort(HostUnavailable("the host was declared dead"))

    async def _sweep(self, shard_owner: ShardOwner, reporter: Reporter) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            now = time.monotonic()
            reporter.passivated(shard_owner.mailboxes.passivate(now))
            shard_owner.mailboxes.answers.forget_silent(now - MAX_SECONDS)  # all their calls are past their deadline
            shard_owner.forget_incoming(now)


def _node() -> str:
    node: str = ray.get_runtime_context().get_node_id()
    return node
