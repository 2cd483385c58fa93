"""Devices that listen over their sockets, as cheaply as possible, in the process that measures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import httpx
import msgpack

from benchmarks.platform.pairs import Person
from benchmarks.stack.cheap_sockets import open_socket
from benchmarks.stack.realtime_clients import Client, masked

_OPENED_AT_ONCE = 50


class Signals:
    """Counts the signals of one message at a time, over many sockets."""

    def __init__(self) -> None:
        self._awaited = 0
        self._all: asyncio.Future[int] | None = None
        self.first_ns = 0

    def expect(self, count: int) -> asyncio.Future[int]:
        """Returns the time (ns, monotonic) at which so many signals have come from now on."""
        self._awaited, self.first_ns = count, 0
        self._all = asyncio.get_running_loop().create_future()
        return self._all

    def came(self) -> None:
        """One more."""
        now = time.monotonic_ns()
        self.first_ns = self.first_ns or now
        self._awaited -= 1
        if not self._awaited and self._all is not None and not self._all.done():
            self._all.set_result(now)

    @property
    def missing(self) -> int:
        """How many have not come."""
        return self._awaited


class SignalSocket(Client):
    """The socket of a device, or one to the echo server."""

    __slots__ = ("_signals",)

    def __init__(self, hello: bytes, opened: asyncio.Future[None], signals: Signals) -> None:
        super().__init__(hello, opened, [])
        self._signals = signals

    def frame(self, opcode: int, payload: bytes) -> None:
        """Takes one frame."""
        message: Any = msgpack.unpackb(payload) if opcode == 2 else None
        if message is not None and message["t"] == "signal":
            if message["kind"] == "message":
                self._signals.came()
        else:
            super().frame(opcode, payload)


async def echo_once(sockets: Sequence[SignalSocket], signals: Signals, frame: bytes) -> float:
    """Has the echo server send a frame back on each socket. Returns after how many milliseconds all had it."""
    all_came, begun = signals.expect(len(sockets)), time.monotonic_ns()
    for socket in sockets:
        socket.transport.write(masked(2, frame))
    return (await all_came - begun) / 1e6


async def listen(address: str, people: Sequence[Person], signals: Signals) -> list[SignalSocket]:
    """Opens a socket for each person's device."""
    sockets: list[SignalSocket] = []
    async with httpx.AsyncClient(base_url=address, timeout=60) as client:

        async def open_one(person: Person) -> SignalSocket:
            ticket = await person.ticket(client)
            hello = {"t": "hello", "ticket": ticket.ticket}
            return await open_socket(ticket.url, hello, lambda first, opened: SignalSocket(first, opened, signals))

        for first in range(0, len(people), _OPENED_AT_ONCE):
            some = people[first : first + _OPENED_AT_ONCE]
            sockets += await asyncio.gather(*(open_one(person) for person in some))
    return sockets
