"""What the sockets of a realtime host ask of live sessions: to attach, to fetch events, to carry requests out.

Each is a task. What it comes to goes into the connection's machine, whose effects the host carries out.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import structlog

from actors.realtime.listener import Socket
from actors.realtime.socket_record import SocketRecord, record_of
from cluster.redis import RedisError
from features.errors import Conflict, DomainError
from features.realtime.connection import Refusal
from features.realtime.connection_effects import Effect
from features.realtime.errors import SessionsUnavailable, UnknownRequest
from features.realtime.frames import Hello, Request, Response, Resume, SetPresence, Watch
from features.realtime.ports import Requests, SessionEntities, SessionRefused
from features.realtime.store import TicketHolder, TicketProblem, TicketStore

log = structlog.get_logger(__name__)


class SessionTasks:
    """The tasks of one host. `name` is the host's address for live sessions."""

    def __init__(
        self,
        name: str,
        sessions: SessionEntities,
        tickets: TicketStore,
        requests: Sequence[Requests],
        clock: Callable[[], float],
        perform: Callable[[Socket, list[Effect]], None],
        is_open: Callable[[str], bool],
    ) -> None:
        """`perform` carries out the effects of a socket's machine; `is_open` says whether the host has a socket with
        this id."""
        self._name = name
        self._sessions = sessions
        self._tickets = tickets
        self._requests = {name: each for each in requests for name in each.names}
        self._clock = clock
        self._perform = perform
        self._is_open = is_open
        self._departed: dict[str, list[str]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def attach(self, socket: Socket, hello: Hello) -> None:
        """Redeems the ticket and registers the socket with the live session."""
        self._spawn(self._attach(socket, hello))

    def fetch(self, socket: Socket, resume: Resume) -> None:
        """Fetches the events after a point of the stream."""
        self._spawn(self._fetch(socket, resume))

    def forward(self, socket: Socket, frame: SetPresence | Watch) -> None:
        """Forwards a client frame."""
        self._spawn(self._forward(socket, frame))

    def answer(self, socket: Socket, request: Request) -> None:
        """Does what a request asks for."""
        self._spawn(self._answer(socket, request))

    def renew(self, socket: Socket) -> None:
        """Renews the lease of a socket."""
        self._spawn(self._renew(socket))

    def detach(self, user: str, connection: str) -> None:
        """Unregisters a socket, together with those that go in the same iteration of the event loop."""
        if not self._departed:
            asyncio.get_running_loop().call_soon(lambda: self._spawn(self._detach()))
        self._departed.setdefault(user, []).append(connection)

    async def wait(self) -> None:
        """Waits for the tasks under way."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def cancel(self) -> None:
        """Cancels the tasks under way."""
        for task in list(self._tasks):
            task.cancel()
        await self.wait()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _attach(self, socket: Socket, hello: Hello) -> None:
        record = record_of(socket)
        connection = record.connection
        try:
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
            replay = await self._sessions.attach(holder.user, record.id, self._name, holder.device, hello.resume)
        except SessionsUnavailable:
            self.detach(holder.user, record.id)  # it may have been registered
            raise
        if not self._is_open(record.id):  # closed during the call
            self.detach(holder.user, record.id)
            return
        record.user = holder.user
        self._perform(socket, record.connection.attached(replay, self._clock()))

    async def _fetch(self, socket: Socket, resume: Resume) -> None:
        record = record_of(socket)
        try:
            replay = await self._sessions.since(record.user, resume)
        except SessionRefused as refused:
            self._perform(socket, record.connection.refused(refused.refusal, refused.detail))
        except SessionsUnavailable as error:
            log.warning("fetch failed", error=str(error))
            self._perform(socket, record.connection.fetch_failed())
        else:
            self._perform(socket, record.connection.fetched(replay, self._clock()))

    async def _forward(self, socket: Socket, frame: SetPresence | Watch) -> None:
        record = record_of(socket)
        try:
            match frame:
                case SetPresence(active):
                    await self._sessions.set_active(record.user, record.id, active)
                case Watch(users):
                    for signal in await self._sessions.watch(record.user, users):
                        self._perform(socket, record.connection.signal(signal.kind, signal.data))
        except SessionsUnavailable as error:
            # Presence is transient: the client's next change or watch corrects it.
            log.warning("forward failed", error=str(error))

    async def _answer(self, socket: Socket, request: Request) -> None:
        record = record_of(socket)
        try:
            if (requests := self._requests.get(request.what)) is None:
                raise UnknownRequest
            data = await requests.perform(record.user, record.device, request.what, request.data)
            response = Response(request.id, data)
        except DomainError as error:
            response = Response(request.id, problem=_problem(error))
        except Exception as error:
            log.error("request failed", what=request.what, exc_info=error)
            response = Response(request.id, problem={"code": "internal_error", "detail": "An internal error."})
        self._perform(socket, record.connection.answered(response))

    async def _detach(self) -> None:
        departed, self._departed = self._departed, {}
        for user, connections in departed.items():
            try:
                await self._sessions.detach(user, connections)
            except SessionsUnavailable as error:
                # The sockets' leases expire by themselves.
                log.warning("detach failed", error=str(error))

    async def _renew(self, socket: Socket) -> None:
        record = record_of(socket)
        try:
            newest = await self._sessions.confirm(record.user, record.id, self._name, record.device)
        except SessionRefused as refused:
            self._perform(socket, record.connection.refused(refused.refusal, refused.detail))
        except SessionsUnavailable as error:
            log.warning("lease not renewed", error=str(error))
        else:
            self._perform(socket, record.connection.deliver(newest, self._clock()))


def _problem(error: DomainError) -> dict[str, Any]:
    problem: dict[str, Any] = {"code": error.code, "detail": error.detail, "field": error.field}
    problem["current"] = error.current if isinstance(error, Conflict) else None
    return {name: value for name, value in problem.items() if value is not None}
