"""The realtime client against a minimal server that produces rare sequences of frames."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

from client.realtime import JSON, Event, RealtimeClient, Received, Resync, Ticket

Handler = Callable[[ServerConnection, dict[str, Any]], Awaitable[None]]


@asynccontextmanager
async def _client(handler: Handler, **options: Any) -> AsyncIterator[RealtimeClient]:
    async def greet(connection: ServerConnection) -> None:
        await handler(connection, json.loads(await connection.recv()))

    async with serve(greet, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]

        async def ticket() -> Ticket:
            return Ticket("t", f"ws://127.0.0.1:{port}")

        async with RealtimeClient(ticket, subprotocol=JSON, backoff_s=(0.01, 0.01), **options) as client:
            yield client


async def _welcome(connection: ServerConnection, stream: str, seq: int, *, resumed: bool) -> None:
    frame = {"t": "welcome", "connection": "c", "stream": stream, "seq": seq, "resumed": resumed}
    await connection.send(json.dumps({**frame, "heartbeat_ms": 30000, "window": 512}))


async def _events(connection: ServerConnection, first: int, last: int) -> None:
    items = [{"kind": "k", "at": 1, "data": number} for number in range(first, last + 1)]
    await connection.send(json.dumps({"t": "events", "seq": first, "items": items}))


async def _until(client: RealtimeClient, last: int) -> list[Received]:
    received = []
    async with asyncio.timeout(60):
        async for one in client:
            received.append(one)
            if isinstance(one, Event) and one.seq == last:
                return received
    raise AssertionError(received)


async def test_a_resync_that_was_lost_with_its_socket_comes_again() -> None:
    points = []

    async def handler(connection: ServerConnection, hello: dict[str, Any]) -> None:
        points.append(hello["resume"])
        await _welcome(connection, "new", 100, resumed=False)
        if len(points) == 1:
            connection.transport.abort()
            return
        await connection.send(json.dumps({"t": "resync", "stream": "new", "seq": 100, "reason": "too_old"}))
        await _events(connection, 101, 101)
        await connection.wait_closed()

    async with _client(handler, resume=("old", 7)) as client:
        received = await _until(client, 101)
    assert points == [{"stream": "old", "seq": 7}] * 2
    assert received == [Resync("too_old"), Event(101, "k", 1, 101)]


async def test_iterating_again_after_a_break_and_a_cut_repeats_nothing() -> None:
    async def handler(connection: ServerConnection, hello: dict[str, Any]) -> None:
        seq = hello["resume"]["seq"]
        await _welcome(connection, "s", seq, resumed=True)
        await _events(connection, seq + 1, 5 if seq else 4)
        if seq == 0:
            await asyncio.sleep(0.05)
            connection.transport.abort()
        await connection.wait_closed()

    async with _client(handler, resume=("s", 0)) as client:
        first = await _until(client, 2)
        await asyncio.sleep(0.1)
        rest = await _until(client, 5)
    assert [one.seq for one in [*first, *rest] if isinstance(one, Event)] == [1, 2, 3, 4, 5]


async def test_closing_ends_the_iteration_and_no_connection_follows() -> None:
    async def handler(connection: ServerConnection, _: dict[str, Any]) -> None:
        await _welcome(connection, "s", 0, resumed=False)
        await connection.wait_closed()

    async with _client(handler) as client:
        iteration = asyncio.create_task(_until(client, 1))
        while not client.connections:
            await asyncio.sleep(0.01)
        await client.close()
        async with asyncio.timeout(60):
            await asyncio.gather(iteration, return_exceptions=True)
        assert client.connections == 1


async def test_closing_within_the_iteration_ends_it() -> None:
    async def handler(connection: ServerConnection, _: dict[str, Any]) -> None:
        await _welcome(connection, "s", 0, resumed=False)
        await _events(connection, 1, 3)
        await connection.wait_closed()

    received = []
    async with asyncio.timeout(60), _client(handler) as client:
        async for one in client:
            received.append(one)
            await client.close()
    assert len(received) == 1
