"""A realtime host's end of the pushes: it listens as a shard host does, with the same handshake and frames."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from actors.delivery.endpoint import HostName
from actors.runtime.errors import BadFrame, HostUnavailable, UnknownKind, to_wire
from actors.runtime.transport.frames import DONE, pack_answer, unpack_body
from actors.runtime.transport.stream import HostConnection
from features.realtime.events import Batch, Item


class Receiver(Protocol):
    """What a realtime host does with pushes. Each method names connections of that host."""

    def deliver(self, connections: Sequence[str], batch: Batch) -> list[str]:
        """Pushes events. Returns the connections that are not here."""

    def signal(self, connections: Sequence[str], kind: str, data: Any) -> list[str]:
        """Pushes a signal. Returns the connections that are not here."""

    def revoke(self, connections: Sequence[str]) -> None:
        """Closes connections whose device session has ended."""


class PushListener:
    """The realtime host's listener: a Unix socket for its own node and a TCP port for the others."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._connections: set[HostConnection] = set()
        self._servers: list[asyncio.Server] = []
        self._host: Receiver | None = None
        self._socket = ""

    async def start(self, node: str, ip: str, directory: Path, port: int = 0) -> HostName:
        """Listens on a TCP port and a Unix socket in `directory`. Returns the host's name. Raises OSError."""
        loop = asyncio.get_running_loop()
        host_id = f"realtime-{secrets.token_hex(6)}"
        self._socket = str(directory / f"{host_id}.sock")
        unix = await loop.create_unix_server(self._connection, self._socket)
        tcp = await loop.create_server(self._connection, ip, port, reuse_address=True)
        self._servers = [unix, tcp]
        bound: int = tcp.sockets[0].getsockname()[1]
        return HostName(host_id, node, f"{ip}:{bound}", self._socket)

    def serve(self, host: Receiver) -> None:
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
            except BadFrame as error:
                origin.answer(pack_answer(number, *to_wire(error)))
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
