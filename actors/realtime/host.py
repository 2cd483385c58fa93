"""A realtime host: sockets, their connection machines, and calls to live sessions.

Independent of Ray: actor.py runs it in a Ray actor, tests run it directly.
"""

import asyncio
import contextlib
import random
import secrets
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import structlog

from actors.realtime.listener import Socket, listen
from cluster.metrics import Counter, Gauge
from cluster.redis import RedisError
from features.errors import Conflict, DomainError
from features.realtime.codec import BadFrame
from features.realtime.connection import (
    Attach,
    Close,
    Connection,
    Effect,
    Fetch,
    Forward,
    Perform,
    Probe,
    Refusal,
    State,
    Transmit,
)
from features.realtime.errors import SessionsUnavailable, UnknownRequest
from features.realtime.events import Batch
from features.realtime.frames import Events, Hello, Request, Response, Resume, SetPresence, Slow, Watch
from features.realtime.policy import RealtimePolicy
from features.realtime.ports import Requests, SessionEntities, SessionRefused
from features.realtime.store import TicketHolder, TicketProblem, TicketStore

SOCKETS = Gauge("entativa_realtime_sockets", "Open sockets of this host", multiprocess_mode="livesum")
EVENTS = Counter("entativa_realtime_events_total", "Events written to sockets")
SLOW = Counter("entativa_realtime_slow_total", "Pauses of delivery to slow clients")
CLOSED = Counter("entativa_realtime_closed_total", "Connections closed by the server", ["code"])

log = structlog.get_logger(__name__)

_SWEEP_SLOTS = 50
_SWEEP_S = 5.0
"""How often every socket is checked, one slot at a time so that pings and leases are spread evenly."""
_DRAIN_TIMEOUT_S = 6.0
_ATTACHING_AT_ONCE = 64
"""Maximum number of hellos handled at once; in a storm of reconnects the others wait."""

Encodings = dict[tuple[bool, int, int], bytes]
"""WebSocket frames already encoded in this delivery, by (binary, first number, count)."""


class SocketRecord:
    """The host's record of one socket."""

    __slots__ = ("connection", "device", "id", "leased_at", "slot", "user")

    def __init__(self, connection_id: str, slot: int, connection: Connection, now: float) -> None:
        self.id = connection_id
        self.slot = slot
        """The slot of the sweep."""
        self.connection = connection
        self.user = ""
        """Empty until the ticket was redeemed."""
        self.device = ""
        self.leased_at = now


class RealtimeHost:
    """Sockets of many users. `name` is the host's address for live sessions."""

    def __init__(
        self,
        name: str,
        sessions: SessionEntities,
        tickets: TicketStore,
        policy: RealtimePolicy,
        *,
        requests: Requests | None = None,
        max_sockets: int = 60_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._sessions = sessions
        self._tickets = tickets
        self._requests = requests
        self._policy = policy
        self._max_sockets = max_sockets
        self._clock = clock
        self._prefix = secrets.token_hex(5)
        self._opened = 0
        self._sockets: dict[str, Socket] = {}
        self._slots: list[dict[str, Socket]] = [{} for _ in range(_SWEEP_SLOTS)]
        self._departed: dict[str, list[str]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._emptied = asyncio.Event()
        self._attaching = asyncio.Semaphore(_ATTACHING_AT_ONCE)
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
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def drain(self) -> None:
        """Asks every client to reconnect elsewhere, spread over the policy's time, and waits for the closes."""
        self.draining = True
        self._emptied.clear()
        if self._server is not None:
            self._server.close()
        spread_ms = int(self._policy.drain_spread_s * 1000)
        for number, socket in enumerate(list(self._sockets.values())):
            self._perform(socket, _record(socket).connection.drain(random.randint(0, spread_ms)))  # noqa: S311
            if number % 500 == 499:
                await asyncio.sleep(0)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_TIMEOUT_S):
                if self._sockets:
                    await self._emptied.wait()
                await asyncio.sleep(0)
                await asyncio.gather(*self._tasks, return_exceptions=True)

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
                self._perform(socket, _record(socket).connection.deliver(batch, now), encodings)
        return unknown

    def signal(self, connections: Sequence[str], kind: str, data: Any) -> list[str]:
        """Delivers a transient event to connections. Returns the ids of unknown ones."""
        unknown: list[str] = []
        for connection in connections:
            socket = self._sockets.get(connection)
            if socket is None:
                unknown.append(connection)
            else:
                self._perform(socket, _record(socket).connection.signal(kind, data))
        return unknown

    def revoke(self, connections: Sequence[str]) -> None:
        """Closes connections whose sign-in session was revoked."""
        for connection in connections:
            if (socket := self._sockets.get(connection)) is not None:
                detail = "this device was signed out"
                effects = _record(socket).connection.refused(Refusal.SESSION_REVOKED, detail)
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
        connection = _record(socket).connection
        connection.heard_from(now)
        try:
            frame = socket.codec.decode(payload, binary=binary)
        except BadFrame as bad:
            self._perform(socket, connection.reject(bad, now))
        else:
            self._perform(socket, connection.receive(frame, now))

    def alive(self, socket: Socket) -> None:
        """Handles a control frame or a fragment from a client."""
        self._perform(socket, _record(socket).connection.control(self._clock()))

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
        record = _record(socket)
        record.connection.closed()
        if self._sockets.pop(record.id, None) is not None:
            SOCKETS.dec()
            if not self._sockets:
                self._emptied.set()
        self._slots[record.slot].pop(record.id, None)
        if record.user:
            self._depart(record.user, record.id)

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
                    self._spawn(self._attach(socket, hello))
                case Fetch(stream, seq):
                    self._spawn(self._fetch(socket, Resume(stream, seq)))
                case Forward(frame):
                    self._spawn(self._forward(_record(socket), frame))
                case Perform(request):
                    self._spawn(self._answer(socket, request))
                case Probe():
                    socket.ping()
                case Close(code, reason):
                    CLOSED.labels(code.name.lower()).inc()
                    socket.close(code, reason)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _attach(self, socket: Socket, hello: Hello) -> None:
        record = _record(socket)
        connection = record.connection
        try:
            async with self._attaching:
                holder = await self._tickets.redeem(hello.ticket)
            if isinstance(holder, TicketProblem):
                refusal = Refusal.TICKET_REPLAYED if holder is TicketProblem.REPLAYED else Refusal.TICKET_INVALID
                self._perform(socket, connection.refused(refusal, "ask for a new ticket"))
                return
            await self._register(socket, record, holder, hello)
        except SessionRefused as refused:
            self._perform(socket, connection.refused(refused.refusal, refused.detail))
        except (RedisError, OSError, SessionsUnavailable) as error:
            log.warning("attach failed", error=str(error))
            self._perform(socket, connection.refused(Refusal.UNAVAILABLE, "try again in a moment"))

    async def _register(self, socket: Socket, record: SocketRecord, holder: TicketHolder, hello: Hello) -> None:
        record.device = holder.device
        try:
            replay = await self._sessions.attach(holder.user, record.id, self.name, holder.device, hello.resume)
        except SessionsUnavailable:
            self._depart(holder.user, record.id)  # it may have been registered
            raise
        if record.id not in self._sockets:  # closed during the call
            self._depart(holder.user, record.id)
            return
        record.user = holder.user
        self._perform(socket, record.connection.attached(replay, self._clock()))

    async def _fetch(self, socket: Socket, resume: Resume) -> None:
        record = _record(socket)
        try:
            replay = await self._sessions.since(record.user, resume)
        except SessionRefused as refused:
            self._perform(socket, record.connection.refused(refused.refusal, refused.detail))
        except SessionsUnavailable as error:
            log.warning("fetch failed", error=str(error))
            self._perform(socket, record.connection.fetch_failed())
        else:
            self._perform(socket, record.connection.fetched(replay, self._clock()))

    async def _forward(self, record: SocketRecord, frame: SetPresence | Watch) -> None:
        try:
            match frame:
                case SetPresence(active):
                    await self._sessions.set_active(record.user, record.id, active)
                case Watch(users):
                    for signal in await self._sessions.watch(record.user, users):
                        self.signal([record.id], signal.kind, signal.data)
        except SessionsUnavailable as error:
            # Presence is transient: the client's next change or watch corrects it.
            log.warning("forward failed", error=str(error))

    async def _answer(self, socket: Socket, request: Request) -> None:
        record = _record(socket)
        try:
            if self._requests is None:
                raise UnknownRequest
            data = await self._requests.perform(record.user, record.device, request.what, request.data)
            response = Response(request.id, data)
        except DomainError as error:
            response = Response(request.id, problem=_problem(error))
        except Exception as error:
            log.error("request failed", what=request.what, exc_info=error)
            response = Response(request.id, problem={"code": "internal_error", "detail": "An internal error."})
        self._perform(socket, record.connection.answered(response))

    def _depart(self, user: str, connection: str) -> None:
        if not self._departed:
            asyncio.get_running_loop().call_soon(lambda: self._spawn(self._detach()))
        self._departed.setdefault(user, []).append(connection)

    async def _detach(self) -> None:
        departed, self._departed = self._departed, {}
        for user, connections in departed.items():
            try:
                await self._sessions.detach(user, connections)
            except SessionsUnavailable as error:
                # The sockets' leases expire by themselves.
                log.warning("detach failed", error=str(error))

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
        record = _record(socket)
        now = self._clock()
        self._perform(socket, record.connection.tick(now))
        attached = record.connection.state in (State.OPEN, State.FETCHING, State.PAUSED)
        if attached and now - record.leased_at >= self._policy.lease_s:
            record.leased_at = now
            self._spawn(self._renew(socket, record))

    async def _renew(self, socket: Socket, record: SocketRecord) -> None:
        try:
            newest = await self._sessions.confirm(record.user, record.id, self.name, record.device)
        except SessionRefused as refused:
            self._perform(socket, record.connection.refused(refused.refusal, refused.detail))
        except SessionsUnavailable as error:
            log.warning("lease not renewed", error=str(error))
        else:
            self._perform(socket, record.connection.deliver(newest, self._clock()))


def _record(socket: Socket) -> SocketRecord:
    assert isinstance(socket.owner, SocketRecord)
    return socket.owner


def _problem(error: DomainError) -> dict[str, Any]:
    problem: dict[str, Any] = {"code": error.code, "detail": error.detail, "field": error.field}
    problem["current"] = error.current if isinstance(error, Conflict) else None
    return {name: value for name, value in problem.items() if value is not None}


def _encoded(socket: Socket, events: Events, encodings: Encodings | None) -> bytes:
    if encodings is None:
        return socket.message_frame(socket.codec.encode(events))
    key = (socket.codec.binary, events.seq, len(events.items))
    frame = encodings.get(key)
    if frame is None:
        frame = encodings[key] = socket.message_frame(socket.codec.encode(events))
    return frame
