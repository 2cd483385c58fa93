"""Realtime hosts as Ray actors: one process each, named, detached and restarted on the same node."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from dataclasses import dataclass, field
from typing import Any

import ray
import structlog

from actors.conversations.calls import ConversationCalls
from actors.conversations.requests import MessageRequests
from actors.delivery.listener import PushListener
from actors.groups.calls import GroupCalls
from actors.groups.requests import GroupRequests
from actors.realtime.host import RealtimeHost
from actors.runtime.socket_folder import socket_folder
from actors.runtime.supervise import BackgroundTasks
from actors.runtime.transport.ray_control import RayControl
from actors.runtime.transport.router import Router
from actors.sessions.calls import SessionCalls
from cluster.cancellation import raise_if_cancelled
from cluster.code_version import CODE_VERSION
from cluster.garbage_collection import collect_garbage_rarely
from cluster.logs import configure_logs
from cluster.postgres import Database, open_database
from cluster.redis import RedisError, open_redis
from cluster.storage_errors import DATABASE_ERRORS
from features.live_sessions.presence import PresenceAccess
from features.realtime.policy import RealtimePolicy
from features.realtime.store import HostDirectory, ListedHost, TicketStore

_ANNOUNCE_PAUSE_S = 2.0
_ANNOUNCED_FOR_S = 7
_RETRY_PAUSE_S = 0.5
MAX_PER_NODE = 5
"""Hosts of a node that have fixed ports."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class RealtimeOptions:
    """The realtime hosts of one brand. Pickled to every actor when it starts."""

    brand: str
    runtime: str
    """Name of the entity runtime that has the `sessions` kind; also the Ray namespace of the actors."""
    database: str = field(repr=False)
    redis_url: str = field(repr=False)
    secret: str = field(repr=False)
    """The cluster's secret."""
    per_node: int = 1
    listen: str = "0.0.0.0"  # noqa: S104 (clients come from everywhere)
    port: int = 0
    """First of a node's ten ports: five for clients, one per host, then five for pushes to the hosts; 0: any free
    ports."""
    url: str = "ws://{ip}:{port}/realtime"
    """The address given to clients; a load balancer's or TLS terminator's in production."""
    max_sockets: int = 60_000
    leave_idle_after_s: float = 60.0
    """How long a node may have nothing else to do until its sockets leave it, so that an autoscaler can let it go."""
    policy: RealtimePolicy = field(default_factory=RealtimePolicy)
    log_level: str = "INFO"
    socket_directory: str = ""
    """For Unix sockets; empty: the system's temporary folder."""
    code_version: str = CODE_VERSION
    """Of the code that made these options."""

    @property
    def running_version(self) -> str:
        """The version of the code that this process runs, which has these options; "" if they are of another version:
        Ray restarts an actor with the options that it was started with first."""
        return CODE_VERSION if self.code_version == CODE_VERSION else ""


class RealtimeActor:
    """A Ray actor around one RealtimeHost.

    The constructor waits for nothing: Ray never restarts an actor whose constructor raised. The host opens what it
    needs in its main task, whose failure ends the process, which Ray does restart.
    """

    async def __init__(self, options: RealtimeOptions, index: int) -> None:  # type: ignore[misc]
        configure_logs(options.log_level, brand=options.brand, process=f"realtime-{index}")
        collect_garbage_rarely()
        self._options = options
        self._index = index
        self._phase = "starting"
        self._started_at = time.monotonic()
        self._url = ""
        self._host: RealtimeHost | None = None
        self._resources = contextlib.AsyncExitStack()
        self._drained: asyncio.Task[None] | None = None
        self._tasks = BackgroundTasks()
        self._main = self._tasks.spawn("realtime-host", self._run(), critical=True)

    async def status(self) -> dict[str, Any]:
        """Phase (starting, serving, draining), seconds since the start, process id, number of sockets, the address
        given to clients, which is empty until the host serves, and the version of the code that it runs."""
        return {
            "phase": self._phase,
            "up": time.monotonic() - self._started_at,
            "pid": os.getpid(),
            "sockets": 0 if self._host is None else len(self._host),
            "url": self._url,
            "code_version": self._options.running_version,
        }

    async def drain(self) -> None:
        """Refuses new sockets, asks clients to reconnect elsewhere and stops. Asked twice, it does so once."""
        if self._drained is None:
            self._drained = asyncio.create_task(self._drain())
        await asyncio.shield(self._drained)

    async def _drain(self) -> None:
        self._phase = "draining"
        await self._tasks.close()
        if self._host is not None:
            await self._host.drain()
        await self._resources.aclose()

    async def _run(self) -> None:
        options, stack = self._options, self._resources
        database = await self._open_database()
        stack.push_async_callback(database.close)
        redis = open_redis(options.redis_url)
        stack.push_async_callback(redis.aclose)
        router = Router(RayControl(options.runtime), options.secret.encode())
        router.follow_map()  # calls made before there is a map wait for it
        stack.push_async_callback(router.close)
        listener = PushListener(options.secret.encode())
        stack.push_async_callback(listener.stop)
        ip: str = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
        node: str = ray.get_runtime_context().get_node_id()
        port = options.port and options.port + MAX_PER_NODE + self._index
        name = await listener.start(node, ip, socket_folder(options.socket_directory), port)
        sessions = SessionCalls(router, PresenceAccess(database))
        tickets = TicketStore(redis, options.brand)
        requests = (MessageRequests(ConversationCalls(router)), GroupRequests(GroupCalls(router)))
        host = RealtimeHost(
            str(name), sessions, tickets, options.policy, requests=requests, max_sockets=options.max_sockets
        )
        stack.push_async_callback(host.stop)
        listener.serve(host)
        port = await host.start(options.listen, options.port and options.port + self._index)
        self._url = options.url.format(ip=ip, port=port)
        self._host = host
        self._phase = "serving"
        await self._announce(HostDirectory(redis, options.brand), name.id, host)

    async def _open_database(self) -> Database:
        while True:
            try:
                return await open_database(self._options.database, pool_size=2)
            except DATABASE_ERRORS as error:
                raise_if_cancelled()
                log.warning("database.unavailable", error=str(error))
                await asyncio.sleep(_RETRY_PAUSE_S)

    async def _announce(self, directory: HostDirectory, id: str, host: RealtimeHost) -> None:
        """Lists the host for the gateways until it drains."""
        try:
            while True:
                try:
                    await directory.announce(ListedHost(id, self._url, len(host)), _ANNOUNCED_FOR_S)
                except (RedisError, OSError) as error:
                    raise_if_cancelled()
                    log.warning("realtime host not listed", error=str(error))
                await asyncio.sleep(_ANNOUNCE_PAUSE_S)
        finally:
            with contextlib.suppress(RedisError, OSError):  # the listing expires by itself
                await directory.withdraw(id)
