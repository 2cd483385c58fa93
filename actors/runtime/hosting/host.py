"""The shard host: a Ray actor that owns shards under a lease and serves calls on its own listener."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import ray
import structlog

from actors.runtime.clock import SYSTEM_CLOCK
from actors.runtime.errors import HostUnavailable
from actors.runtime.hosting.committer import TRANSACTIONS, Committer
from actors.runtime.hosting.lease import HostLease
from actors.runtime.hosting.ray_calls import answer_batch
from actors.runtime.hosting.report import Reporter
from actors.runtime.hosting.resting import Resting
from actors.runtime.hosting.shard_owner import ShardOwner
from actors.runtime.hosting.turns import TurnRunner
from actors.runtime.kind import KindContext, load_kind
from actors.runtime.metrics import WENT_BACK
from actors.runtime.options import RuntimeOptions
from actors.runtime.shard_map import MapPosition
from actors.runtime.socket_folder import socket_folder
from actors.runtime.store.rows import DATABASE_ERRORS, Claim, HostRow
from actors.runtime.store.shard_store import ShardStore
from actors.runtime.store.turn_writes import TurnWrites
from actors.runtime.supervise import BackgroundTasks
from actors.runtime.transport.calls import MAX_SECONDS
from actors.runtime.transport.frames import CALLS, unpack
from actors.runtime.transport.ray_control import RayControl
from actors.runtime.transport.router import Router
from actors.runtime.transport.stream import HostConnection
from cluster.cancellation import raise_if_cancelled
from cluster.garbage_collection import collect_garbage_rarely
from cluster.logs import configure_logs
from cluster.postgres import open_database
from cluster.redis import open_redis

_SWEEP_SECONDS = 5.0
_CONNECT_PAUSE_SECONDS = 0.5
_POOL_SIZE = 6
"""Connections that the kinds of a host share."""

Connected = TypeVar("Connected")

log = structlog.get_logger(__name__)


class ShardHost:
    """A Ray actor: named, detached, restarted by Ray whenever its process ends, spread over nodes."""

    async def __init__(self, options: RuntimeOptions, name: str) -> None:  # type: ignore[misc]
        """Stores the arguments and starts the main task, which ends the process if it fails: Ray does not restart an
        actor whose constructor raises."""
        configure_logs(options.log_level, brand=options.name, process=name)
        collect_garbage_rarely()
        self._options = options
        self._name = name
        self._clock = SYSTEM_CLOCK
        self._node = ""
        self._shard_owner: ShardOwner | None = None
        self._lease: HostLease | None = None
        self._connections: set[HostConnection] = set()
        self._servers: list[asyncio.Server] = []
        self._tasks = BackgroundTasks()
        self._tasks.spawn("host.main", self._run(), critical=True)

    # --- what the coordinator and routers call ------------------------------------------------------------

    async def notify_map(self, position: MapPosition) -> None:
        """The map is at ``position``."""
        if self._shard_owner is not None and self._shard_owner.mailboxes.host:
            await self._shard_owner.sync(position)

    async def release(self, position: MapPosition, claims: Sequence[Claim]) -> tuple[list[Claim], list[Claim]]:
        """See ShardOwner.release."""
        if self._shard_owner is None:
            return [], []
        return await self._shard_owner.release(position, claims)

    async def deliver(self, host: str, caller: bytes, frame: bytes) -> bytes:
        """The fallback data plane: a CALLS frame in, the ANSWERS frame to all of it out.

        Ray may deliver a call long after it was made, so it names the incarnation it is for.
        """
        items = unpack(frame[4:])
        if self._shard_owner is None or items[0] != CALLS or host != self._shard_owner.mailboxes.host:
            raise HostUnavailable(f"{host} is not here")
        return await answer_batch(self._shard_owner.mailboxes, caller, items)

    async def status(self) -> dict[str, Any]:
        """Process id, node, phase ("starting", "serving" or, shortly before the process ends, "failed"), and how many
        connections routers have here."""
        return {
            "pid": os.getpid(),
            "node": self._node,
            "phase": self._phase(),
            "connections": len(self._connections),
        }

    def _phase(self) -> str:
        if self._tasks.failed:
            return "failed"
        return "serving" if self._lease is not None and self._lease.held else "starting"

    # --- life ---------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        self._node = ray.get_runtime_context().get_node_id()
        store = await self._open_store()
        leases = await self._open_store(max_connections=2)  # one for the lease, one to read the map
        dsn = self._options.database
        database = await self._open(lambda: open_database(dsn, pool_size=_POOL_SIZE))
        writes = await self._open(lambda: TurnWrites.open(dsn, transactions=TRANSACTIONS))
        committer = Committer(writes)
        secret = self._options.secret.encode()
        router = Router(RayControl(self._options.name, self._options.coordinators), secret)
        router.follow_map()
        shard_owner = self._shard_owner = ShardOwner(leases, router, self._clock)
        ip = self._options.listen or ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
        redis = open_redis(self._options.redis)
        for path, policy in self._options.kinds.items():
            kind = load_kind(path)
            context = KindContext(
                brand=self._options.name,
                policy=kind.checked(policy),
                database=database,
                redis=redis,
                router=router,
                clock=self._clock,
                host=self._name,
                node=self._node,
                secret=secret,
            )
            timers = None if self._options.timers is None else self._options.timers.get(path, frozenset())
            shard_owner.mailboxes.add_kind(TurnRunner(kind, kind.handler(context), store, committer, timers))
        address, socket_path = await self._listen(secret, ip)
        worker = ray.get_runtime_context().get_worker_id()
        reporter = Reporter(self._name, worker, shard_owner.mailboxes)
        self._tasks.spawn("host.measure_lag", reporter.measure_lag(), critical=True)
        mailboxes = shard_owner.mailboxes
        self._tasks.spawn("host.timers", mailboxes.durable_timers.run(store, mailboxes.served), critical=True)
        self._tasks.spawn("host.sweep", self._sweep(shard_owner, reporter), critical=True)
        while True:
            host = f"{self._name}.{int(self._clock.time() * 1e9):x}"
            row = HostRow(host, self._name, self._node, address, socket_path, False, {}, self._options.running_version)
            lease = HostLease(
                leases, row, self._options.lease, shard_owner, writes.history, reporter, self._tasks, self._clock
            )
            self._lease = lease
            await lease.keep()
            log.warning("host.declared_dead", host=host, database_went_back=shard_owner.diverged)
            WENT_BACK.labels(self._name).inc(shard_owner.diverged)
            shard_owner.abandon()
            writes.history.forget()
            for connection in list(self._connections):
                connection.abort(HostUnavailable("the host was declared dead"))

    async def _open_store(self, max_connections: int = 4) -> ShardStore:
        dsn, name = self._options.database, self._name
        return await self._open(lambda: ShardStore.open(dsn, application=name, max_connections=max_connections))

    async def _open(self, connect: Callable[[], Awaitable[Connected]]) -> Connected:
        """What ``connect`` returns, as soon as the database can be reached."""
        while True:
            try:
                return await connect()
            except DATABASE_ERRORS as error:
                raise_if_cancelled()
                log.warning("database.unavailable", error=str(error))
                await asyncio.sleep(_CONNECT_PAUSE_SECONDS)

    async def _listen(self, secret: bytes, ip: str) -> tuple[str, str]:
        assert self._shard_owner is not None
        receive = self._shard_owner.mailboxes.deliver

        def connection() -> HostConnection:
            return HostConnection(secret, receive, self._connections)

        loop = asyncio.get_running_loop()
        tcp = await loop.create_server(connection, ip, 0, family=socket.AF_INET)
        port = tcp.sockets[0].getsockname()[1]
        path = socket_folder(self._options.socket_directory) / f"{self._options.name}-{self._name}-{os.getpid()}.sock"
        unix = await loop.create_unix_server(connection, str(path))
        self._servers = [tcp, unix]
        path.chmod(0o600)
        return f"{ip}:{port}", str(path)

    async def _sweep(self, shard_owner: ShardOwner, reporter: Reporter) -> None:
        resting = Resting(shard_owner.mailboxes)
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            now = self._clock.monotonic()
            reporter.passivated(shard_owner.mailboxes.passivate(now))
            await resting.rest(now)
            shard_owner.mailboxes.answers.forget_silent(now - MAX_SECONDS)  # all their calls are past their deadline
            shard_owner.forget_incoming(now)
