"""Realtime hosts as Ray actors: one process each, named, detached and restarted on the same node."""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass, field

import ray
import structlog

from actors.realtime.endpoint import HostName
from actors.realtime.host import RealtimeHost
from actors.realtime.push import PushListener
from actors.runtime.socket_folder import socket_folder
from actors.runtime.transport.router import Router
from actors.sessions.calls import SessionCalls
from cluster.postgres import Database, open_database
from cluster.redis import Redis, RedisError, open_redis
from features.live_sessions.presence import PresenceAccess
from features.realtime.policy import RealtimePolicy
from features.realtime.store import HostDirectory, ListedHost, TicketStore

_ANNOUNCE_PAUSE_S = 2.0
_ANNOUNCED_FOR_S = 7

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
    """First port of a node's hosts, which take consecutive ones; 0: any free port."""
    url: str = "ws://{ip}:{port}/realtime"
    """The address given to clients; a load balancer's or TLS terminator's in production."""
    max_sockets: int = 60_000
    policy: RealtimePolicy = field(default_factory=RealtimePolicy)
    socket_directory: str = ""
    """For Unix sockets; empty: the system's temporary folder."""


class RealtimeActor:
    """A Ray actor around one RealtimeHost."""

    async def __init__(self, options: RealtimeOptions, index: int) -> None:  # type: ignore[misc]
        self._options = options
        self._index = index
        self._ip: str = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
        self._database: Database = await open_database(options.database, pool_size=2)
        self._redis: Redis = open_redis(options.redis_url)
        self._router = await Router.connect(options.runtime, secret=options.secret)
        self._listener = PushListener(options.secret.encode())
        self._name: HostName = await self._listener.start(
            ray.get_runtime_context().get_node_id(), self._ip, socket_folder(options.socket_directory)
        )
        sessions = SessionCalls(self._router, PresenceAccess(self._database))
        tickets = TicketStore(self._redis, options.brand)
        self._host = RealtimeHost(str(self._name), sessions, tickets, options.policy, max_sockets=options.max_sockets)
        self._listener.serve(self._host)
        port = await self._host.start(options.listen, options.port and options.port + index)
        self._url = options.url.format(ip=self._ip, port=port)
        self._directory = HostDirectory(self._redis, options.brand)
        self._announcing = asyncio.create_task(self._announce())

    async def ready(self) -> str:
        """Returns the address given to clients, once the host runs."""
        return self._url

    async def sockets(self) -> int:
        """Returns the number of open sockets."""
        return len(self._host)

    async def pid(self) -> int:
        """Returns the process id."""
        return os.getpid()

    async def drain(self) -> None:
        """Refuses new sockets, asks clients to reconnect elsewhere and stops."""
        self._announcing.cancel()
        with contextlib.suppress(RedisError, OSError):  # the listing expires by itself
            await self._directory.withdraw(self._name.id)
        await self._host.drain()
        await self._host.stop()
        await self._listener.stop()
        await self._router.close()
        await self._database.close()
        await self._redis.aclose()

    async def _announce(self) -> None:
        while True:
            try:
                await self._directory.announce(ListedHost(self._name.id, self._url, len(self._host)), _ANNOUNCED_FOR_S)
            except (RedisError, OSError) as error:
                log.warning("realtime host not listed", error=str(error))
            await asyncio.sleep(_ANNOUNCE_PAUSE_S)
