"""A realtime host: sockets, and the machines of their connections.

Independent of Ray: actor.py runs it in a Ray actor, tests run it directly.
"""

import asyncio
import contextlib
import random
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any

from actors.realtime.listener import Socket, listen
from actors.realtime.session_tasks import SessionTasks
from actors.realtime.socket_record import SocketRecord, record_of
from cluster.metrics import Counter, Gauge
from features.realtime.codec import BadFrame
from features.realtime.connection import Connection, Refusal
from features.realtime.connection_effects import Attach, Close, Effect, Fetch, Forward, Perform, Probe, Transmit
from features.realtime.delivery import State
from features.realtime.events import Batch
from features.realtime.frames import Events, Resume, Slow
from features.realtime.policy import RealtimePolicy
from features.realtime.ports import Requests, SessionEntities
from features.realtime.store import TicketStore

SOCKETS = Gauge("entativa_realtime_sockets", "Open sockets of this host", multiprocess_mode="livesum")
EVENTS = Counter("entativa_realtime_events_total", "Events written to sockets")
SLOW = Counter("entativa_realtime_slow_total", "Pauses of delivery to slow clients")
CLOSED = Counter("entativa_realtime_closed_total", "Connections closed by the server", ["code"])

_SWEEP_SLOTS = 50
_SWEEP_S = 5.0
"""How often every socket is checked, one slot at a time so that pings and leases are spread evenly."""
_DRAIN_TIMEOUT_S = 6.0

Encodings = dict[tuple[bool, int, int], bytes]
"""WebSocket frames already encoded in this delivery, by (binary, first number, count)."""


class RealtimeHost:
    """Sockets of many users. `name` is the host's address for live sessions."""

    def __init__(
        self,
        name: str,
        sessions: SessionEntities,
        tickets: TicketStore,
        policy: RealtimePolicy,
        *,
        requests: Sequence[Requests] = (),
        max_sockets: int = 60_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._policy = policy
        self._max_sockets = max_sockets
        self._clock = clock
        self._prefix = secrets.token_hex(5)
        self._opened = 0
        self._sockets: dict[str, Socket] = {}
        self._slots: list[dict[str, Socket]] = [{} for _ in range(_SWEEP_SLOTS)]
        self._session_tasks = SessionTasks(
            name, sessions, tickets, requests, clock, self._perform, self._sockets.__contains__
        )
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._emptied = asyncio.Event()
        self.draining = False

    def __len__(self) -> int:
        return len(self._sockets)

    async def start(self, address: str, port: int = 0) -> int:
        """Listens. Returns the port. Raises OSError."""
        self._server = await listen(self, self._policy, address, port)
        self._sweeper = asyncio.create_task(self._sweep())
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        """Closes all sockets and stops immediately."""
        self.draining = True
        if self._server is not None:
            self._server.close()
        if self._sweeper is not None:
            self._sweeper.cancel()
        for socket in list(self._sockets.values()):
            socket.abort()
        await self._session_tasks.cancel()

    async def drain(self) -> None:
        """Asks every client to reconnect elsewhere, spread over the policy's time, and waits for the closes."""
        self.draining = True
        self._emptied.clear()
        if self._server is not None:
            self._server.close()
        spread_ms = int(self._policy.drain_spread_s * 1000)
        for number, socket in enumerate(list(self._sockets.values())):
            self._perform(socket, record_of(socket).connection.drain(random.randint(0, spread_ms)))  # noqa: S311
            if number % 500 == 499:
                await asyncio.sleep(0)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_TIMEOUT_S):
                if self._sockets:
                    await self._emptied.wait()
                await asyncio.sleep(0)
                await self._session_tasks.wait()

    # --- from live sessions ------------------------------------------------------------------------------------

    def deliver(self, connections: Sequence[str], batch: Batch) -> list[str]:
        """Delivers events to connections. Returns the ids of unknown ones."""
        now = self._clock()
        unknown: list[str] = []
        encodings: Encodings = {}
        for connection in connections:
            socket = self._sockets.get(connection)
            if socket is None:
                unknown.append(connection)
            else:
                self._perform(socket, record_of(socket).connection.deliver(batch, now), encodings)
        return unknown

    def signal(self, connections: Sequence[str], kind: str, data: Any) -> list[str]:
        """Delivers a transient event to connections. Returns the ids of unknown ones."""
        unknown: list[str] = []
        for connection in connections:
            socket = self._sockets.get(connection)
            if socket is None:
                unknown.append(connection)
            else:
                self._perform(socket, record_of(socket).connection.signal(kind, data))
        return unknown

    def revoke(self, connections: Sequence[str]) -> None:
        """Closes connections whose sign-in session was revoked."""
        for connection in connections:
            if (socket := self._sockets.get(connection)) is not None:
                detail = "this device was signed out"
                effects = record_of(socket).connection.refused(Refusal.SESSION_REVOKED, detail)
                self._perform(socket, effects)

    # --- from sockets ------------------------------------------------------------------------------------------

    def accepts(self) -> bool:
        """Returns whether the host accepts one more socket."""
        return not self.draining and len(self._sockets) < self._max_sockets

    def opened(self, socket: Socket) -> None:
        """Registers a socket whose WebSocket handshake is complete."""
        self._opened += 1
        connection_id = f"{self._prefix}{self._opened:x}"
        slot = self._opened % _SWEEP_SLOTS
        now = self._clock()
        socket.owner = SocketRecord(connection_id, slot, Connection(connection_id, self._policy, now), now)
        socket.limit_writes(self._policy.write_high_bytes)
        self._sockets[connection_id] = socket
        self._slots[slot][connection_id] = socket
        SOCKETS.inc()

    def message(self, socket: Socket, payload: bytes, binary: bool) -> None:
        """Handles one message from a client."""
        now = self._clock()
        connection = record_of(socket).connection
        connection.heard_from(now)
        try:
            frame = socket.codec.decode(payload, binary=binary)
        except BadFrame as bad:
            self._perform(socket, connection.reject(bad, now))
        else:
            self._perform(socket, connection.receive(frame, now))

    def alive(self, socket: Socket) -> None:
        """Handles a control frame or a fragment from a client."""
        self._perform(socket, record_of(socket).connection.control(self._clock()))

    def writable(self, socket: Socket, writable: bool) -> None:
        """Handles a write buffer that has filled or drained."""
        if not isinstance(socket.owner, SocketRecord):
            return
        if writable:
            self._perform(socket, socket.owner.connection.resume_writing())
        else:
            socket.owner.connection.pause_writing()

    def lost(self, socket: Socket) -> None:
        """Removes a closed socket."""
        record = record_of(socket)
        record.connection.closed()
        if self._sockets.pop(record.id, None) is not None:
            SOCKETS.dec()
            if not self._sockets:
                self._emptied.set()
        self._slots[record.slot].pop(record.id, None)
        if record.user:
            self._session_tasks.detach(record.user, record.id)

    # --- effects -----------------------------------------------------------------------------------------------

    def _perform(self, socket: Socket, effects: list[Effect], encodings: Encodings | None = None) -> None:
        for effect in effects:
            match effect:
                case Transmit(Events() as events):
                    socket.write(_encoded(socket, events, encodings))
                    EVENTS.inc(len(events.items))
                case Transmit(frame):
                    if isinstance(frame, Slow):
                        SLOW.inc()
                    socket.write(socket.message_frame(socket.codec.encode(frame)))
                case Attach(hello):
                    self._session_tasks.attach(socket, hello)
                case Fetch(stream, seq):
                    self._session_tasks.fetch(socket, Resume(stream, seq))
                case Forward(frame):
                    self._session_tasks.forward(socket, frame)
                case Perform(request):
                    self._session_tasks.answer(socket, request)
                case Probe():
                    socket.ping()
                case Close(code, reason):
                    CLOSED.labels(code.name.lower()).inc()
                    socket.close(code, reason)

    # --- time --------------------------------------------------------------------------------------------------

    async def _sweep(self) -> None:
        turn = 0
        pause = min(_SWEEP_S, self._policy.heartbeat_s / 2) / _SWEEP_SLOTS
        while True:
            await asyncio.sleep(pause)
            turn += 1
            for number, socket in enumerate(list(self._slots[turn % _SWEEP_SLOTS].values())):
                self._check(socket)
                if number % 500 == 499:
                    await asyncio.sleep(0)

    def _check(self, socket: Socket) -> None:
        record = record_of(socket)
        now = self._clock()
        self._perform(socket, record.connection.tick(now))
        attached = record.connection.state in (State.OPEN, State.FETCHING, State.PAUSED)
        if attached and now - record.leased_at >= self._policy.lease_s:
            record.leased_at = now
            self._session_tasks.renew(socket)


def _encoded(socket: Socket, events: Events, encodings: Encodings | None) -> bytes:
    if encodings is None:
        return socket.message_frame(socket.codec.encode(events))
    key = (socket.codec.binary, events.seq, len(events.items))
    frame = encodings.get(key)
    if frame is None:
        frame = encodings[key] = socket.message_frame(socket.codec.encode(events))
    return frame
