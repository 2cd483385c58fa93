"""The realtime client: a stream of events that survives lost connections, host restarts and slow consumers.

    async with RealtimeClient(get_ticket) as realtime:
        async for event in realtime:
            match event:
                case Event(kind=kind, data=data): ...
                case Resync(): ...       # events may be missing: read the state again over HTTP
                case Signal(): ...       # presence, typing: transient

docs/realtime.md specifies the protocol.
"""

import asyncio
import contextlib
import json
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Literal, Self

import msgpack
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

MSGPACK: Final = "realtime.v1.msgpack"
JSON: Final = "realtime.v1.json"

_SIGNED_OUT: Final = 4005
_WATCH_AGAIN_S = 300.0
"""The server stops sending changes after 600 s."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """The response of POST /v1/realtime/ticket."""

    ticket: str
    url: str


@dataclass(frozen=True, slots=True)
class Event:
    """A numbered event. Between two Resyncs each event is returned exactly once and in order."""

    seq: int
    kind: str
    at_ms: int
    data: Any


@dataclass(frozen=True, slots=True)
class Signal:
    """A transient event."""

    kind: str
    data: Any


@dataclass(frozen=True, slots=True)
class Resync:
    """Events may be missing before the next one. A new client receives one first."""

    reason: str


Received = Event | Signal | Resync


class RealtimeClosed(Exception):
    """The server refuses this client: `code` is the close code, `reason` the server's text."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class TicketUnavailable(Exception):
    """Raised by `get_ticket` when it has no ticket now. The client calls it again later."""


class RequestRefused(Exception):
    """The server has done nothing of a request: `code` as over HTTP, and `problem`, the whole map."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(problem["code"], problem.get("detail", ""))
        self.code: str = problem["code"]
        self.problem = problem


class NoResponse(Exception):
    """There is no connection, or it was lost before the response: what was asked for may have been done."""


class RealtimeClient:
    """An asynchronous iterator over what the server sends. `get_ticket` is called before every connection.

    `resume` is the `resume_point` of an earlier run: (stream, sequence number). `on_connected` is called when the
    server has welcomed a connection: signals before it may have been missed, also where no event was.
    """

    def __init__(
        self,
        get_ticket: Callable[[], Awaitable[Ticket]],
        *,
        subprotocol: Literal["realtime.v1.msgpack", "realtime.v1.json"] = MSGPACK,
        resume: tuple[str, int] | None = None,
        ack_every: int = 64,
        backoff_s: tuple[float, float] = (0.2, 20.0),
        on_connected: Callable[[], None] = lambda: None,
    ) -> None:
        self._get_ticket = get_ticket
        self._on_connected = on_connected
        self._subprotocol = subprotocol
        self._ack_every = ack_every
        self._min_backoff_s, self._max_backoff_s = backoff_s
        self.resume_point = resume
        """The last event that the iterator returned, as (stream, number)."""
        self.connections = 0
        """How many connections the server has welcomed."""
        self._acked = 0
        self._heartbeat_s = 30.0
        self._failures = 0
        self._wait_s = 0.0
        self._arrived: deque[Received] = deque()
        self._socket: ClientConnection | None = None
        self._watched: list[str] = []
        self._watched_at = 0.0
        self._active = True
        self._requests: dict[int, asyncio.Future[Any]] = {}
        self._requested = 0
        self._welcomed = False
        self._ended = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connection and ends the iteration."""
        self._ended.set()
        if self._socket is not None:
            await self._socket.close()
            self._disconnected()

    async def __aiter__(self) -> AsyncIterator[Received]:
        """Yields what arrives. Raises RealtimeClosed when this device was signed out."""
        while not self._ended.is_set():
            await self._connect()
            try:
                while (frame := await self._receive()) is not None:
                    self._take(frame)
                    if frame["t"] == "welcome":
                        await self._restore()
                        self._on_connected()
                    while self._arrived:
                        received = self._arrived.popleft()
                        if isinstance(received, Event):
                            assert self.resume_point is not None
                            self.resume_point = (self.resume_point[0], received.seq)
                        yield received
                        if self._ended.is_set():
                            return
                    await self._acknowledge()
            except ConnectionClosed as closed:
                if not self._ended.is_set():
                    self._lost(closed)

    async def set_active(self, active: bool) -> None:
        """Tells the server whether the application is in the foreground."""
        self._active = active
        await self._send_if_connected({"t": "presence", "state": "active" if active else "away"})

    async def watch(self, user_ids: Sequence[str]) -> None:
        """Subscribes to users' presence as Signals of kind `presence`, on this and every later connection."""
        self._watched = list(user_ids)
        self._watched_at = time.monotonic()
        await self._send_if_connected({"t": "watch", "users": self._watched})

    async def request(self, what: str, data: dict[str, Any]) -> Any:
        """Asks the server for something, and returns the response's data. Somebody must iterate meanwhile. Raises
        RequestRefused, NoResponse."""
        if not self._welcomed:
            raise NoResponse
        self._requested += 1
        response = self._requests[self._requested] = asyncio.get_running_loop().create_future()
        try:
            await self._send({"t": "request", "id": self._requested, "what": what, "data": data})
            return await response
        except ConnectionClosed:
            raise NoResponse from None
        finally:
            self._requests = {id: waiting for id, waiting in self._requests.items() if waiting is not response}

    # --- one connection --------------------------------------------------------------------------------------

    async def _connect(self) -> None:
        while self._socket is None:
            await asyncio.sleep(self._wait_s)
            try:
                ticket = await self._get_ticket()
                self._socket = await connect(
                    ticket.url,
                    subprotocols=[Subprotocol(self._subprotocol)],
                    compression=None,
                    ping_interval=None,
                    max_size=4 * 1024 * 1024,
                )
                hello: dict[str, Any] = {"t": "hello", "ticket": ticket.ticket}
                if self.resume_point is not None:
                    hello["resume"] = {"stream": self.resume_point[0], "seq": self.resume_point[1]}
                await self._send(hello)
            except ConnectionClosed as closed:
                self._lost(closed)
            except (OSError, TimeoutError, InvalidHandshake, TicketUnavailable):
                self._socket = None
                self._back_off()

    async def _receive(self) -> dict[str, Any] | None:
        """Returns the next frame; None when nothing arrived for two heartbeats."""
        assert self._socket is not None
        if self._watched and time.monotonic() - self._watched_at > _WATCH_AGAIN_S:
            await self.watch(self._watched)
        for probe in (True, False):
            try:
                async with asyncio.timeout(self._heartbeat_s):
                    message = await self._socket.recv()
            except TimeoutError:
                if probe:
                    await self._send({"t": "ping"})
                continue
            frame: dict[str, Any] = msgpack.unpackb(message) if isinstance(message, bytes) else json.loads(message)
            return frame
        self._socket.transport.abort()
        self._disconnected()
        self._back_off()
        return None

    def _take(self, frame: dict[str, Any]) -> None:
        match frame:
            case {"t": "welcome", "stream": stream, "seq": seq, "resumed": resumed, "heartbeat_ms": heartbeat_ms}:
                self.connections += 1
                self._welcomed = True
                self._failures = 0
                self._wait_s = 0.0
                self._heartbeat_s = heartbeat_ms / 1000
                if self.resume_point is None and not resumed:
                    self._arrived.append(Resync("fresh"))
                if resumed or self.resume_point is None:
                    self.resume_point = (stream, seq)
                # Otherwise a `resync` follows and moves the resume point; if it is lost with this socket, the next one
                # must send it again. The same holds for events that were not returned yet.
                self._arrived = deque(kept for kept in self._arrived if not isinstance(kept, Event))
                self._acked = seq
            case {"t": "events", "seq": first, "items": items}:
                for seq, item in enumerate(items, first):
                    self._arrived.append(Event(seq, item["kind"], item["at"], item["data"]))
            case {"t": "signal", "kind": kind, "data": data}:
                self._arrived.append(Signal(kind, data))
            case {"t": "response", "id": id, **outcome}:
                self._respond(self._requests.get(id), outcome)
            case {"t": "resync", "stream": stream, "seq": seq, "reason": reason}:
                self.resume_point = (stream, seq)
                self._acked = seq
                self._arrived.append(Resync(reason))
            case {"t": "stream", "stream": stream}:
                assert self.resume_point is not None
                self.resume_point = (stream, self.resume_point[1])
            case {"t": "reconnect", "after_ms": after_ms}:
                self._wait_s = after_ms / 1000
            case _:
                pass  # pong, slow, error (a close follows where it matters), and frames of later versions

    @staticmethod
    def _respond(waiting: "asyncio.Future[Any] | None", outcome: dict[str, Any]) -> None:
        if waiting is None or waiting.done():
            return  # nobody waits any more
        if "problem" in outcome:
            waiting.set_exception(RequestRefused(outcome["problem"]))
        else:
            waiting.set_result(outcome["data"])

    def _disconnected(self) -> None:
        self._socket, self._welcomed = None, False
        for waiting in self._requests.values():
            if not waiting.done():
                waiting.set_exception(NoResponse())

    async def _restore(self) -> None:
        """Repeats what the server forgot with the former connection."""
        if self._watched:
            await self.watch(self._watched)
        if not self._active:
            await self._send({"t": "presence", "state": "away"})

    async def _acknowledge(self) -> None:
        if self.resume_point is not None and self.resume_point[1] - self._acked >= self._ack_every:
            self._acked = self.resume_point[1]
            await self._send({"t": "ack", "seq": self._acked})

    def _lost(self, closed: ConnectionClosed) -> None:
        self._disconnected()
        code = closed.rcvd.code if closed.rcvd else 1006
        if code == _SIGNED_OUT:
            raise RealtimeClosed(code, closed.rcvd.reason if closed.rcvd else "") from closed
        if code == 4007:  # the resume point is ahead of the server: start without one
            self.resume_point = None
        if code != 1012:  # a draining host has said how long to wait
            self._back_off()

    def _back_off(self) -> None:
        limit = min(self._max_backoff_s, self._min_backoff_s * 2**self._failures)
        self._wait_s = random.uniform(0.0, limit)  # noqa: S311 (full jitter: no secret depends on it)
        self._failures += 1

    async def _send(self, frame: dict[str, Any]) -> None:
        assert self._socket is not None
        await self._socket.send(msgpack.packb(frame) if self._subprotocol == MSGPACK else json.dumps(frame))

    async def _send_if_connected(self, frame: dict[str, Any]) -> None:
        if self._socket is not None:
            with contextlib.suppress(ConnectionClosed):
                await self._send(frame)
