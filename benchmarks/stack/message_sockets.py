"""Devices that send messages over their sockets, as cheaply as possible, in the process that measures."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

import httpx
import msgpack

from benchmarks.platform.pairs import CIPHERTEXT_BYTES, Pair, api_address
from benchmarks.stack.cheap_sockets import open_socket
from benchmarks.stack.realtime_clients import Client, masked
from cluster.local.installation import Installation

_PATIENCE_S = 60.0


class MessageSocket(Client):
    """The socket of a pair's sender."""

    __slots__ = ("_ended", "_number", "_pair", "_sent", "_until")

    def __init__(self, hello: bytes, opened: asyncio.Future[None], pair: Pair) -> None:
        super().__init__(hello, opened, [])
        self._pair = pair
        self._number = 0
        self._sent: dict[int, int] = {}
        self._until = 0
        self._ended: asyncio.Future[None] | None = None

    async def send_for(self, seconds: float) -> list[float]:
        """Sends for so long, each message when the one before is answered. Returns after how many milliseconds they
        were. Raises ConnectionError if one is refused, or the socket is lost."""
        self.latencies = []
        self._until = time.monotonic_ns() + int(seconds * 1e9)
        self._ended = asyncio.get_running_loop().create_future()
        self._send()
        async with asyncio.timeout(seconds + _PATIENCE_S):
            await self._ended
        return self.latencies

    def frame(self, opcode: int, payload: bytes) -> None:
        """Takes one frame: a response, or from the echo server the request itself."""
        message: Any = msgpack.unpackb(payload) if opcode == 2 else None
        if message is None or message["t"] not in ("response", "request"):
            super().frame(opcode, payload)
        elif message.get("problem", {}).get("code") == "messaging_unavailable":
            # A host that stalled is replaced; its time is part of the latency.
            asyncio.get_running_loop().call_later(1.0, self._send, self._sent.pop(message["id"]))
        elif "problem" in message:
            self.fail(repr(message["problem"]).encode())
        else:
            self._answered(message["id"])

    def fail(self, why: bytes) -> None:
        """Ends what waits with an error."""
        super().fail(why)
        if self._ended is not None and not self._ended.done():
            self._ended.set_exception(ConnectionError(repr(why[:200])))

    def _answered(self, number: int) -> None:
        now = time.monotonic_ns()
        self.latencies.append((now - self._sent.pop(number)) / 1e6)
        if now < self._until:
            self._send()
        elif not self._sent and self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    def _send(self, begun_ns: int | None = None) -> None:
        self._number += 1
        payload = {
            "account_id": str(self._pair.recipient.account),
            "device": 1,
            "envelope": os.urandom(CIPHERTEXT_BYTES),
        }
        data = {"conversation_id": self._pair.conversation, "client_id": str(uuid4()), "payloads": [payload]}
        self._sent[self._number] = begun_ns or time.monotonic_ns()
        frame = {"t": "request", "id": self._number, "what": "message", "data": data}
        self.transport.write(masked(2, msgpack.packb(frame)))


async def connect(installation: Installation, pairs: Sequence[Pair]) -> list[MessageSocket]:
    """Opens the senders' sockets."""
    async with httpx.AsyncClient(base_url=api_address(installation), timeout=60) as client:
        tickets = [await pair.sender.ticket(client) for pair in pairs]
    opening = zip(tickets, pairs, strict=True)
    return [await _open(each.url, {"t": "hello", "ticket": each.ticket}, pair) for each, pair in opening]


async def connect_to_echo(url: str, pairs: Sequence[Pair]) -> list[MessageSocket]:
    """Opens as many sockets to an echo server."""
    return [await _open(url, {"t": "welcome"}, pair) for pair in pairs]


async def _open(url: str, hello: Mapping[str, str], pair: Pair) -> MessageSocket:
    return await open_socket(url, hello, lambda first, opened: MessageSocket(first, opened, pair))
