"""The baseline of realtime.py: a bare echo server on the `websockets` package's sans-IO protocol. Prints its URL."""

import asyncio
from typing import cast

import uvloop
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol


class Echo(asyncio.Protocol):
    """One connection."""

    __slots__ = ("protocol", "transport")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one without inheriting it
        self.protocol = ServerProtocol(max_size=16 * 1024)

    def data_received(self, data: bytes) -> None:
        protocol = self.protocol
        protocol.receive_data(data)
        for event in protocol.events_received():
            if isinstance(event, Request):
                protocol.send_response(protocol.accept(event))
            elif isinstance(event, Frame) and event.opcode is Opcode.BINARY:
                protocol.send_binary(event.data)
        for out in protocol.data_to_send():
            self.transport.write(out)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0, backlog=4096)
    print(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/realtime", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
