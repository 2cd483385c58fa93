"""An application behind a real socket, for clients of other people; and a proxy that cuts its connections."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import uvicorn
from starlette.types import ASGIApp


@asynccontextmanager
async def serve_app(app: ASGIApp) -> AsyncIterator[int]:
    """Serves an application in this event loop. Returns its port."""
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        task = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            server.force_exit = True
            await task


class CuttingProxy:
    """Passes connections on to ports in turn, and cuts each of the first `cuts` after a random number of bytes."""

    def __init__(self, ports: list[int], *, cuts: int, within: int, seed: int) -> None:
        self._ports = ports
        self._random = random.Random(seed)
        self._within = within
        self.left = cuts
        self.passed = 0
        """Bytes from clients that went on."""
        self.connections = 0
        self.interruptions = 0
        """Connections that were cut, or whose server ended them."""

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[int]:
        server = await asyncio.start_server(self._handle, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()

    async def _copy_responses(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        self.interruptions += 1
        writer.close()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = self._ports[self.connections % len(self._ports)]
        self.connections += 1
        limit = self._random.randrange(1, self._within) if self.left else None
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionError:  # a replica that was killed
            writer.transport.abort()
            return
        responses = asyncio.create_task(self._copy_responses(upstream_reader, writer))
        try:
            while data := await reader.read(65_536):
                if limit is not None and (limit := limit - len(data)) < 0:
                    self.left -= 1
                    self.interruptions += 1
                    data = data[:limit]
                upstream_writer.write(data)
                self.passed += len(data)
                with suppress(ConnectionError):
                    await upstream_writer.drain()
                if limit is not None and limit < 0:
                    writer.transport.abort()
                    break
        except ConnectionError:
            pass
        finally:
            responses.cancel()
            await asyncio.gather(responses, return_exceptions=True)
            for each in (writer, upstream_writer):
                each.close()
