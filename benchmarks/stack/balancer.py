"""A layer-4 balancer: hands each new connection to the next node that accepts connections, as it sees by trying."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Sequence

_CONNECT_TIMEOUT_S = 0.2
_CHECKED_S = 0.2
"""How often each node is tried."""

Node = tuple[str, int]
_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Balancer:
    """Round robin over nodes. It knows nothing of HTTP: what it has connected stays until one side closes."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = nodes
        self._next = itertools.cycle(range(len(nodes)))
        self._down: set[Node] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carries one client's connection to its end."""
        first = next(self._next)
        nodes = [self._nodes[(first + number) % len(self._nodes)] for number in range(len(self._nodes))]
        # Those that are down are a last resort.
        for node in sorted(nodes, key=self._down.__contains__):
            if (connected := await self._connect(node)) is not None:
                there_reader, there_writer = connected
                await asyncio.gather(_pipe(reader, there_writer), _pipe(there_reader, writer))
                break
        writer.close()

    async def check(self, node: Node) -> None:
        """Tries a node for ever."""
        while True:
            if (connected := await self._connect(node)) is not None:
                connected[1].close()
            await asyncio.sleep(_CHECKED_S)

    async def _connect(self, node: Node) -> _Connection | None:
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                connected = await asyncio.open_connection(*node)
        except (OSError, TimeoutError):
            self._down.add(node)
            return None
        self._down.discard(node)
        return connected


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def balancer(nodes: Sequence[Node]) -> AsyncIterator[str]:
    """The HTTP address of a balancer over these nodes."""
    balancing = Balancer(nodes)
    server = await asyncio.start_server(balancing.serve, "127.0.0.1", 0)
    checks = [asyncio.create_task(balancing.check(node)) for node in nodes]
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        for check in checks:
            check.cancel()
        await asyncio.gather(*checks, return_exceptions=True)
        server.close()
