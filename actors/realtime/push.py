"""Pushes from live sessions to realtime hosts, over the runtime's data plane.

A realtime host listens as a shard host does (same handshake, frames, batching and backpressure), and the pushing side
has a Router whose map consists of realtime hosts. Connection machines tolerate duplicates and delays, so a push is
repeated until its host responds, is gone, or the timeout ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from actors.realtime.endpoint import HostName
from actors.realtime.host import RealtimeHost
from actors.runtime.errors import BadFrame, HostUnavailable, UnknownKind, to_wire
from actors.runtime.shard_map import MapView
from actors.runtime.transport.frames import DONE, pack_answer, unpack_body
from actors.runtime.transport.router import NoControlPlane, Router
from actors.runtime.transport.stream import HostConnection
from features.realtime.events import Batch, Item

PUSH_TIMEOUT_S = 5.0


class RealtimeHosts:
    """Client of all realtime hosts. Create it in a running event loop.

    Every method takes a host's name as the session remembers it, and raises a CallError: HostUnavailable or
    DeadlineExceeded when the host is gone or cut off.
    """

    def __init__(self, node: str, secret: bytes) -> None:
        # Hosts become known by the sockets they register. There is no fallback path: clients of an unreachable host
        # resume elsewhere.
        self._router = Router(NoControlPlane(node), secret)

    async def close(self) -> None:
        """Closes the connections."""
        await self._router.close()

    async def deliver(self, host: str, connections: Sequence[str], batch: Batch) -> list[str]:
        """Pushes events to connections. Returns those that the host does not know."""
        items = [[item.kind, item.at_ms, item.data] for item in batch.items]
        return await self._call(host, "deliver", [list(connections), batch.stream, batch.seq, items])

    async def signal(self, host: str, connections: Sequence[str], kind: str, data: Any) -> list[str]:
        """Pushes a transient event. Returns the connections that the host does not know."""
        return await self._call(host, "signal", [list(connections), kind, data])

    async def revoke(self, host: str, connections: Sequence[str]) -> None:
        """Closes connections whose sign-in session was revoked."""
        await self._call(host, "revoke", [list(connections)])

    async def _call(self, host: str, what: str, message: list[Any]) -> list[str]:
        name = HostName.parse(host)
        view = self._router.view
        if name.id not in view.hosts:
            self._router.follow(MapView(view.version + 1, {**view.hosts, name.id: name.endpoint}))
        try:
            unknown: list[str] = await self._router.call_host(name.id, what, message, PUSH_TIMEOUT_S)
        except HostUnavailable:
            self.forget(host)  # otherwise it would be dialled forever; the next push starts over
            raise
        return unknown

    def forget(self, host: str) -> None:
        """Removes a host that is gone and fails the calls that wait for it."""
        name = HostName.parse(host)
        view = self._router.view
        if name.id in view.hosts:
            hosts = {known: endpoint for known, endpoint in view.hosts.items() if known != name.id}
            self._router.follow(MapView(view.version + 1, hosts))


class PushListener:
    """The realtime host's listener: a Unix socket for its own node and a TCP port for the others."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._connections: set[HostConnection] = set()
        self._servers: list[asyncio.Server] = []
        self._host: RealtimeHost | None = None
        self._socket = ""

    async def start(self, node: str, ip: str, directory: Path) -> HostName:
        """Listens on a TCP port and a Unix socket in `directory`. Returns the host's name. Raises OSError."""
        loop = asyncio.get_running_loop()
        host_id = f"realtime-{secrets.token_hex(6)}"
        self._socket = str(directory / f"{host_id}.sock")
        unix = await loop.create_unix_server(self._connection, self._socket)
        tcp = await loop.create_server(self._connection, ip, 0)
        self._servers = [unix, tcp]
        port: int = tcp.sockets[0].getsockname()[1]
        return HostName(host_id, node, f"{ip}:{port}", self._socket)

    def serve(self, host: RealtimeHost) -> None:
        """Directs calls to `host`. Before this, calls fail with HostUnavailable."""
        self._host = host

    async def stop(self) -> None:
        """Closes the listeners and connections."""
        for server in self._servers:
            server.close()
        for connection in list(self._connections):
            if connection.transport is not None:
                connection.transport.abort()
        if self._socket:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._socket)

    def _connection(self) -> HostConnection:
        return HostConnection(self._secret, self._receive, self._connections)

    def _receive(self, origin: HostConnection, caller: bytes, items: list[Any]) -> None:
        """Handles a CALLS frame: items of [call, kind, what, milliseconds left, message, trace]."""
        for number, _, what, _, body, *_ in items[2:]:
            try:
                message = unpack_body(body)
            except BadFrame as fault:
                origin.answer(pack_answer(number, *to_wire(fault)))
            else:
                origin.answer(self._answer(number, what, message))

    def _answer(self, number: int, what: str, message: Any) -> bytes:
        host = self._host
        if host is None:
            return pack_answer(number, HostUnavailable.status, "not ready")
        match what, message:
            case "deliver", [connections, stream, seq, items]:
                batch = Batch(stream, seq, tuple(Item(*item) for item in items))
                return pack_answer(number, DONE, host.deliver(connections, batch))
            case "signal", [connections, kind, data]:
                return pack_answer(number, DONE, host.signal(connections, kind, data))
            case "revoke", [connections]:
                host.revoke(connections)
                return pack_answer(number, DONE, [])
            case _:
                return pack_answer(number, UnknownKind.status, f"a realtime host does not know {what!r}")
