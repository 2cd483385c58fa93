"""A layer-4 balancer: hands each new connection to the next node that accepts it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Sequence

_CONNECT_TIMEOUT_S = 0.2
_LEFT_OUT_S = 1.0
"""How long a node that did not accept a connection gets no new ones."""

Node = tuple[str, int]


class Balancer:
    """Round robin over nodes. It knows nothing of HTTP: what it has connected stays until one side closes."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = nodes
        self._next = itertools.cycle(range(len(nodes)))
        self._left_out: dict[Node, float] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carries one client's connection to its end."""
        connected = await self._connect()
        if connected is not None:
            there_reader, there_writer = connected
            await asyncio.gather(_pipe(reader, there_writer), _pipe(there_reader, writer))
        writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        now = asyncio.get_running_loop().time()
        first = next(self._next)
        nodes = [self._nodes[(first + number) % len(self._nodes)] for number in range(len(self._nodes))]
        # Those that failed lately are a last resort.
        for node in sorted(nodes, key=lambda node: self._left_out.get(node, 0.0) > now):
            try:
                async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                    return await asyncio.open_connection(*node)
            except (OSError, TimeoutError):
                self._left_out[node] = now + _LEFT_OUT_S
        return None


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def balancer(nodes: Sequence[Node]) -> AsyncIterator[str]:
    """The HTTP address of a balancer over these nodes."""
    server = await asyncio.start_server(Balancer(nodes).serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
