"""Sockets in the process that measures, and the bare echo server that they are compared with."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TypeVar
from urllib.parse import urlsplit

import msgpack

from benchmarks.stack.realtime_clients import HANDSHAKE, Client, masked

ECHO = "bare echo server on the same library (websockets, sans-IO, uvloop)"

_PATIENCE_S = 60.0

C = TypeVar("C", bound=Client)


async def open_socket(url: str, hello: Mapping[str, str], new: Callable[[bytes, asyncio.Future[None]], C]) -> C:
    """Opens a socket that sends `hello` first; returns when it is welcomed. An echo server's welcome is its hello."""
    loop = asyncio.get_running_loop()
    opened: asyncio.Future[None] = loop.create_future()
    address, first = urlsplit(url), masked(2, msgpack.packb(hello))
    host, port = address.hostname or "", address.port or 80
    _, socket = await loop.create_connection(lambda: new(first, opened), host, port)
    offer = "Sec-WebSocket-Protocol: realtime.v1.msgpack\r\n"
    handshake = HANDSHAKE.format(host=host, port=port, subprotocol=offer)
    socket.transport.write(handshake.encode())
    async with asyncio.timeout(_PATIENCE_S):
        await opened
    return socket


@contextlib.asynccontextmanager
async def echo_server() -> AsyncIterator[str]:
    """Yields the URL of a bare echo server."""
    command = [sys.executable, "-m", "benchmarks.stack.realtime_echo"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield (await asyncio.to_thread(server.stdout.readline)).strip()
    finally:
        server.kill()
        server.wait()
