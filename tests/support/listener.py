"""A socket of a member, in a test of what is signalled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from client.realtime import MSGPACK, RealtimeClient, Received, Resync, Signal
from tests.support.conversation_host import ConversationHost
from tests.support.member import Member


class Listener:
    """A socket, and the signals that come over it."""

    def __init__(self, client: RealtimeClient) -> None:
        self.client = client
        self.reading: asyncio.Task[Any] | None = None
        self._received: AsyncIterator[Received] = aiter(client)

    async def next(self) -> dict[str, Any]:
        """The next message that is signalled."""
        while True:
            signal = await self.signal()
            if signal.kind == "message":
                return dict(signal.data)

    async def signal(self) -> Signal:
        """The next signal."""
        async with asyncio.timeout(60):
            async for one in self._received:
                if isinstance(one, Signal):
                    return one
        raise AssertionError("the socket has ended")

    def follow_responses(self) -> None:
        """Reads on, so that requests are answered; no signal is expected."""
        self.reading = asyncio.create_task(self.next())

    async def attached(self) -> None:
        """Waits until the session knows of the socket."""
        async with asyncio.timeout(60):
            async for one in self._received:
                if isinstance(one, Resync):
                    return


@asynccontextmanager
async def listening(host: ConversationHost, member: Member, subprotocol: Any = MSGPACK) -> AsyncIterator[Listener]:
    """Opens a socket of a member's sign-in session."""
    async with host.client(member, subprotocol=subprotocol) as client:
        listener = Listener(client)
        await listener.attached()
        try:
            yield listener
        finally:
            if listener.reading is not None:
                listener.reading.cancel()
                await asyncio.gather(listener.reading, return_exceptions=True)
