"""Raw WebSocket clients of a realtime harness: JSON frames, one at a time."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import msgpack
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.support.realtime_harness import RealtimeHarness

USER, PHONE, LAPTOP = UUID(int=1), UUID(int=2), UUID(int=3)


async def receive(websocket: ClientConnection) -> dict[str, Any]:
    """Returns the next frame, within a minute."""
    async with asyncio.timeout(60):
        message = await websocket.recv()
    frame: dict[str, Any] = msgpack.unpackb(message) if isinstance(message, bytes) else json.loads(message)
    return frame


async def send(websocket: ClientConnection, frame: dict[str, Any]) -> None:
    """Sends a frame as JSON."""
    await websocket.send(json.dumps(frame))


async def closed(websocket: ClientConnection) -> tuple[list[dict[str, Any]], int]:
    """Returns the frames that came before the close, and the close code."""
    frames: list[dict[str, Any]] = []
    with contextlib.suppress(ConnectionClosed):
        while True:
            frames.append(await receive(websocket))
    assert websocket.close_code is not None
    return frames, websocket.close_code


@asynccontextmanager
async def dialed(harness: RealtimeHarness, **options: Any) -> AsyncIterator[ClientConnection]:
    """A connection without a hello."""
    async with connect(harness.url, compression=None, ping_interval=None, **options) as websocket:
        yield websocket


@asynccontextmanager
async def welcomed(
    harness: RealtimeHarness, user: UUID = USER, device: UUID = PHONE, **options: Any
) -> AsyncIterator[ClientConnection]:
    """A connection that the host has welcomed."""
    async with dialed(harness, **options) as websocket:
        ticket = await harness.ticket(user, device)
        await send(websocket, {"t": "hello", "ticket": ticket.ticket})
        assert (await receive(websocket))["t"] == "welcome"
        yield websocket
