"""An application behind a real socket, for clients of other people; and a proxy that cuts its connections."""

import asyncio
import random
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import uvicorn
from starlette.types import ASGIApp

_SEND_BUFFER = 256 * 1024


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


class SentContent:
    """Follows the requests of an upload (HTTP/1.1, tus), to know what the client sends again after interruptions."""

    def __init__(self) -> None:
        self.furthest = 0
        """Bytes of the file that were sent at least once."""
        self.again: list[int] = []
        """For each request that continued the upload before there: how many bytes before."""

    def connection(self) -> Callable[[bytes], None]:
        """Returns what is told all bytes of one connection, in order."""
        head, left, offset = b"", 0, 0

        def follow(data: bytes) -> None:
            nonlocal head, left, offset
            while data:
                if left:
                    taken = min(left, len(data))
                    left, offset, data = left - taken, offset + taken, data[taken:]
                    self.furthest = max(self.furthest, offset)
                    continue
                head += data
                if b"\r\n\r\n" not in head:
                    return
                lines, _, data = head.partition(b"\r\n\r\n")
                head = b""
                headers = dict(re.findall(rb"^([^:\r\n]+): *([0-9]+)\r?$", lines.lower(), re.MULTILINE))
                left = int(headers.get(b"content-length", 0)) if lines.startswith(b"PATCH ") else 0
                if left:
                    offset = int(headers[b"upload-offset"])
                    if offset < self.furthest:
                        self.again.append(self.furthest - offset)

        return follow


class CuttingProxy:
    """Passes connections on to ports in turn, and cuts each of the first `cuts` after a random number of bytes."""

    def __init__(self, ports: list[int], *, cuts: int, within: int, seed: int) -> None:
        self._ports = ports
        self._random = random.Random(seed)
        self._within = within
        self.left = cuts
        self.passed = 0
        """Bytes from clients that went on."""
        self.content = SentContent()
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
        # What waits in the kernel when a replica is killed was sent, too: no more than a fraction of a part.
        upstream_writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        follow = self.content.connection()
        responses = asyncio.create_task(self._copy_responses(upstream_reader, writer))
        try:
            while data := await reader.read(65_536):
                if limit is not None and (limit := limit - len(data)) < 0:
                    self.left -= 1
                    self.interruptions += 1
                    data = data[:limit]
                upstream_writer.write(data)
                self.passed += len(data)
                follow(data)
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
