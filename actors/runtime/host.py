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

from actors.runtime.batches import answer_batch
from actors.runtime.calls import MOST_SECONDS
from actors.runtime.control import RayControl
from actors.runtime.entity import HostContext
from actors.runtime.errors import HostUnavailable
from actors.runtime.fleet import Claim
from actors.runtime.frames import CALLS, unpack
from actors.runtime.options import RuntimeOptions
from actors.runtime.registry import load_kind
from actors.runtime.report import Reporter
from actors.runtime.router import Router
from actors.runtime.stream import HostConnection
from actors.runtime.tenure import Tenure
from actors.runtime.turns import TurnRunner
from cluster.shards import DATABASE_FAULTS, HostRow, ShardStore

_BEATS_PER_LEASE = 5
_BEAT_SECONDS = 0.5
"""At most this long between two reports, however long the lease."""
_TIDY_SECONDS = 5.0

log = structlog.get_logger(__name__)


class ShardHost:
    """A Ray actor: named, detached, restarted by Ray, spread over nodes."""

    async def __init__(self, options: RuntimeOptions, name: str) -> None:  # type: ignore[misc]
        self._options = options
        self._name = name
        self._tenure: Tenure | None = None
        self._connections: set[HostConnection] = set()
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._main = asyncio.create_task(self._run(), name="shard-host")

    # --- what the coordinator and routers call ------------------------------------------------------------

    async def poke(self, version: int) -> None:
        """The map reached ``version``."""
        if self._tenure is not None and self._tenure.residents.host:
            await self._tenure.sync(version)

    async def release(self, version: int, claims: Sequence[Claim]) -> tuple[list[Claim], list[Claim]]:
        """See Tenure.release."""
        if self._tenure is None:
            return [], []
        return await self._tenure.release(version, claims)

    async def deliver(self, host: str, caller: bytes, frame: bytes) -> bytes:
        """The fallback data plane: a CALLS frame in, the ANSWERS frame to all of it out.

        Ray may deliver a call long after it was made, so it names the incarnation it is for.
        """
        items = unpack(frame[4:])
        if self._tenure is None or items[0] != CALLS or host != self._tenure.residents.host:
            raise HostUnavailable(f"{host} is not here")
        return await answer_batch(self._tenure.residents, caller, items)

    async def where(self) -> dict[str, Any]:
        """Process id, node, and how many connections routers keep here (for operators and tests)."""
        return {"pid": os.getpid(), "node": _node(), "connections": len(self._connections)}

    # --- life ---------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        store = await self._open_store()
        # The lease has connections of its own: it must not wait behind what entities write. One is for the map.
        leases = await self._open_store(most=2)
        secret = self._options.secret.encode()
        router = Router(RayControl(self._options.name, self._options.coordinators), secret)
        router.follow_map()
        tenure = self._tenure = Tenure(leases, router)
        ip = self._options.listen or ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
        for path in self._options.kinds:
            kind = load_kind(path)
            context = HostContext(self._name, ip, router, store, self._options.config)
            tenure.residents.add_kind(TurnRunner(kind, await kind.open_handler(context), store))
        address, socket_path = await self._listen(secret, ip)
        reporter = Reporter(self._name, tenure.residents)
        self._spawn(reporter.measure_lag())
        self._spawn(self._tidy(tenure, reporter))
        while True:
            row = HostRow(f"{self._name}.{time.time_ns():x}", self._name, _node(), address, socket_path, False, {})
            await self._live(row, leases, tenure, reporter)

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _open_store(self, most: int = 4) -> ShardStore:
        while True:
            try:
                return await ShardStore.open(self._options.database, application=self._name, most=most)
            except DATABASE_FAULTS as fault:
                log.warning("database.unavailable", fault=str(fault))
                await asyncio.sleep(0.5)

    async def _listen(self, secret: bytes, ip: str) -> tuple[str, str]:
        assert self._tenure is not None
        receive = self._tenure.residents.deliver

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

    async def _live(self, row: HostRow, leases: ShardStore, tenure: Tenure, reporter: Reporter) -> None:
        """One incarnation: heartbeats until it is declared dead."""
        lease = self._options.lease
        pause = min(_BEAT_SECONDS, lease / _BEATS_PER_LEASE)
        tenure.residents.host = row.host
        enlisted = False
        while True:
            sent_at = time.monotonic()
            try:
                if not enlisted:
                    await leases.within(lease, leases.enlist(row, lease))
                    enlisted = True
                released, refused = tenure.moves()
                load = reporter.report(sent_at) | {"released": released, "refused": refused}
                version = await leases.within(lease, leases.heartbeat(row.host, lease, load))
            except DATABASE_FAULTS as fault:
                log.warning("heartbeat.failed", host=row.host, fault=f"{type(fault).__name__}: {fault}")
                await asyncio.sleep(pause / 4)
                continue
            if version is None:
                break
            tenure.residents.serve_until = sent_at + lease
            if version > tenure.version:
                self._spawn(tenure.sync_quietly())
            await asyncio.sleep(max(0.0, pause - (time.monotonic() - sent_at)))
        log.warning("host.declared_dead", host=row.host)
        tenure.abandon()
        for connection in list(self._connections):
            connection.abort(HostUnavailable("the host was declared dead"))

    async def _tidy(self, tenure: Tenure, reporter: Reporter) -> None:
        while True:
            await asyncio.sleep(_TIDY_SECONDS)
            now = time.monotonic()
            reporter.passivated(tenure.residents.passivate(now))
            tenure.residents.answers.forget_silent(now - MOST_SECONDS)  # all their calls are past their deadline
            tenure.forget_incoming(now)


def _node() -> str:
    node: str = ray.get_runtime_context().get_node_id()
    return node
