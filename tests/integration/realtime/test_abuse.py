"""Abusive clients: a host buffers nothing for them without bound."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from features.realtime.policy import RealtimePolicy
from tests.support.realtime_harness import RealtimeHarness, open_harness
from tests.support.servers import Servers
from tests.support.websocket import closed, send, welcomed

_HANDSHAKE = (
    b"GET /realtime HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_PING, _TEXT, _CONTINUED = 0x89, 0x01, 0x00


def _frame(first: int, payload: bytes = b"") -> bytes:
    return bytes([first, 0x80 | len(payload)]) + b"\0\0\0\0" + payload


async def _opened(harness: RealtimeHarness) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(harness.url.split(":")[2].split("/")[0]))
    writer.write(_HANDSHAKE)
    assert b"101" in await reader.readline()
    return reader, writer


async def _ended(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> bool:
    """Sends `data` until the host ends the connection."""
    try:
        async with asyncio.timeout(60):
            while not reader.at_eof():
                writer.write(data)
                await writer.drain()
                await reader.read(65_536)
    except ConnectionError:
        pass
    return True


async def test_a_flood_of_pings_ends_the_connection(harness: RealtimeHarness) -> None:
    assert await _ended(*await _opened(harness), _frame(_PING, b"x" * 125) * 100)


async def test_a_message_of_endless_fragments_ends_the_connection(harness: RealtimeHarness) -> None:
    reader, writer = await _opened(harness)
    writer.write(_frame(_TEXT, b"{"))
    assert await _ended(reader, writer, _frame(_CONTINUED) * 100)


async def test_pings_of_a_client_that_reads_no_pong_are_not_answered_for_ever(
    servers: Servers, database_address: str
) -> None:
    policy = RealtimePolicy(max_frames_per_window=10_000_000)
    async with open_harness(servers, database_address, policy) as harness:
        reader, writer = await _opened(harness)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        pings = _frame(_PING, b"x" * 125) * 500
        host = next(iter(harness.hosts.values()))[0]
        for _ in range(200):
            writer.write(pings)
            try:
                async with asyncio.timeout(1):
                    await writer.drain()
            except TimeoutError:
                break  # it does not read us any more, either
        [socket] = host._sockets.values()
        assert socket._transport.get_write_buffer_size() < 1_000_000
        writer.transport.abort()
        del reader


async def test_who_never_shakes_hands_is_let_go(servers: Servers, database_address: str) -> None:
    async with open_harness(servers, database_address, RealtimePolicy(hello_timeout_s=0.1)) as harness:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(harness.url.split(":")[2].split("/")[0]))
        writer.write(_HANDSHAKE[:20])
        async with asyncio.timeout(60):
            assert await reader.read() == b""


async def test_watching_thousands_in_a_moment_is_too_much(harness: RealtimeHarness) -> None:
    async with welcomed(harness) as websocket:
        for _ in range(20):
            await send(websocket, {"t": "watch", "users": [str(uuid4()) for _ in range(200)]})
        frames, code = await closed(websocket)
        assert (frames[-1]["code"], code) == ("too_many_frames", 4008)
