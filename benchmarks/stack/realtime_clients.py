"""A process full of the cheapest possible WebSocket clients. Started by realtime.py, steered over stdin.

Arguments: host, port, last byte of its source addresses, subprotocol ("-" for the bare echo server), how many. Tickets
come on stdin, one a line.
Then: prints "open N"; after a line "report" on stdin prints the latencies it has seen (ms) as a JSON list, and goes on.
"""

import asyncio
import json
import resource
import sys
import time
from typing import Any, cast

import msgpack
import uvloop

_IN_FLIGHT = 500
_OF_AN_ADDRESS = 4000
"""Connections from one source address: to find another free port takes the kernel the longer the fewer are left."""
_PATIENCE_S = 300.0
HANDSHAKE = (
    "GET /realtime HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{subprotocol}\r\n"
)


def masked(opcode: int, payload: bytes) -> bytes:
    """A client frame with the mask 0 (RFC 6455 section 5.3 asks for one, not for a secret one from us)."""
    if len(payload) < 126:
        return bytes((0x80 | opcode, 0x80 | len(payload), 0, 0, 0, 0)) + payload
    return bytes((0x80 | opcode, 0x80 | 126)) + len(payload).to_bytes(2, "big") + b"\0\0\0\0" + payload


class Client(asyncio.Protocol):
    """One connection. Everything it receives is small and (on loopback) arrives whole, or is kept in `rest`."""

    __slots__ = ("hello", "latencies", "opened", "rest", "transport", "upgraded")

    def __init__(self, hello: bytes, opened: "asyncio.Future[None]", latencies: list[float]) -> None:
        self.hello = hello
        self.opened: asyncio.Future[None] | None = opened
        self.latencies = latencies
        self.rest = b""
        self.upgraded = False
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one without inheriting it

    def data_received(self, data: bytes) -> None:
        data = self.rest + data
        if not self.upgraded:
            head, found, data = data.partition(b"\r\n\r\n")
            if not found:
                self.rest = head
                return
            if b" 101 " not in head[:20]:
                self.fail(head)
                return
            self.upgraded = True
            self.transport.write(self.hello)
            self.hello = b""
        while len(data) >= 2:
            length, start = data[1] & 0x7F, 2
            if length == 126:
                length, start = int.from_bytes(data[2:4], "big"), 4
            if len(data) < start + length:
                break
            self.frame(data[0] & 0x0F, data[start : start + length])
            data = data[start + length :]
        self.rest = data

    def frame(self, opcode: int, payload: bytes) -> None:
        if opcode == 9:
            self.transport.write(masked(10, payload))
        elif opcode == 8:
            self.fail(payload)
        elif opcode == 2:
            message: Any = msgpack.unpackb(payload)
            if isinstance(message, int):
                self.measure(message)
            elif message["t"] == "events":
                for item in message["items"]:
                    self.measure(item["data"]["sent_ns"])
            elif message["t"] == "welcome":
                self.done()

    def measure(self, sent_ns: int) -> None:
        if sent_ns:
            self.latencies.append((time.monotonic_ns() - sent_ns) / 1e6)
        else:
            self.done()

    def done(self) -> None:
        if self.opened is not None and not self.opened.done():
            self.opened.set_result(None)
        self.opened = None

    def fail(self, why: bytes) -> None:
        if self.opened is not None and not self.opened.done():
            self.opened.set_exception(ConnectionError(repr(why[:200])))
        self.opened = None

    def connection_lost(self, exc: Exception | None) -> None:
        self.fail(b"lost")


async def main() -> None:
    host, port, source, subprotocol, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5])
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    clients: list[Client] = []
    offer = "" if subprotocol == "-" else f"Sec-WebSocket-Protocol: {subprotocol}\r\n"
    handshake = HANDSHAKE.format(host=host, port=port, subprotocol=offer).encode()
    room = asyncio.Semaphore(_IN_FLIGHT)

    async def connect(number: int, hello: bytes) -> None:
        address = f"127.0.{number // _OF_AN_ADDRESS}.{source}"
        async with room:
            opened: asyncio.Future[None] = loop.create_future()
            transport, client = await loop.create_connection(
                lambda: Client(hello, opened, latencies), host, port, local_addr=(address, 0)
            )
            transport.write(handshake)
            async with asyncio.timeout(_PATIENCE_S):
                await opened
            clients.append(client)

    hellos = []
    for _ in range(count):
        ticket = sys.stdin.readline().strip()
        payload = msgpack.packb(0 if subprotocol == "-" else {"t": "hello", "ticket": ticket})
        hellos.append(masked(2, payload))
    await asyncio.gather(*(connect(number, hello) for number, hello in enumerate(hellos)))
    hellos.clear()
    print("open", len(clients), flush=True)
    while command := (await loop.run_in_executor(None, sys.stdin.readline)).split():
        match command:
            case ["report"]:
                alive = sum(not client.transport.is_closing() for client in clients)
                print(json.dumps({"latencies": latencies, "alive": alive}), flush=True)
                latencies.clear()
            case ["echo", rate, seconds]:
                await echo(clients, float(rate), float(seconds))
                print("echoed", flush=True)


async def echo(clients: list[Client], rate: float, seconds: float) -> None:
    """Messages at `rate` a second, one after the other over all connections."""
    start = time.monotonic()
    for number in range(int(rate * seconds)):
        ahead = start + number / rate - time.monotonic()
        if ahead > 0:
            await asyncio.sleep(ahead)
        clients[number % len(clients)].transport.write(masked(2, msgpack.packb(time.monotonic_ns())))
    await asyncio.sleep(1)


if __name__ == "__main__":
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    uvloop.run(main())
