"""WebSockets on asyncio: the sans-IO protocol of the `websockets` package on an asyncio transport.

Chosen for its memory per connection (docs/decisions/websocket-library.md). There is no compression, no task, no queue
and no timer per connection.
"""

import asyncio
import logging
import socket
from collections.abc import Sequence
from typing import Protocol, cast

from websockets.exceptions import NegotiationError
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from features.realtime.codec import CODECS, JSON, Codec
from features.realtime.frames import CloseCode
from features.realtime.policy import RealtimePolicy

PATH = "/realtime"
_CLOSE_TIMEOUT_S = 5.0
_DEAD_PEER_MS = 20_000
_SUBPROTOCOLS = [Subprotocol(name) for name in CODECS]

_log = logging.getLogger("entativa.realtime.websocket")
_log.setLevel(logging.WARNING)


class SocketEvents(Protocol):
    """The callbacks of a socket."""

    def opened(self, socket: "Socket") -> None:
        """The WebSocket handshake is complete."""

    def message(self, socket: "Socket", payload: bytes, binary: bool) -> None:
        """A complete message has arrived."""

    def alive(self, socket: "Socket") -> None:
        """A control frame or an unfinished fragment has arrived."""

    def writable(self, socket: "Socket", writable: bool) -> None:
        """The write buffer has passed its high-water mark or has drained."""

    def lost(self, socket: "Socket") -> None:
        """The connection is closed. Called once for every opened socket."""

    def accepts(self) -> bool:
        """Returns whether one more socket is accepted."""


def _choose(_: ServerProtocol, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    for name in _SUBPROTOCOLS:
        if name in offered:
            return name
    if offered:
        raise NegotiationError(f"subprotocols: {', '.join(CODECS)}")
    return None


class Socket(asyncio.Protocol):
    """One accepted TCP connection."""

    __slots__ = ("_binary", "_events", "_handshake_ends", "_parts", "_protocol", "_transport", "codec", "owner")

    def __init__(self, events: SocketEvents, policy: RealtimePolicy) -> None:
        self._events = events
        self._protocol = ServerProtocol(
            subprotocols=_SUBPROTOCOLS,
            select_subprotocol=_choose,
            max_size=policy.max_frame_bytes,
            logger=_log,
        )
        self._transport: asyncio.Transport
        self._parts: bytearray | None = None
        self._binary = False
        self._handshake_ends: asyncio.TimerHandle | None = asyncio.get_running_loop().call_later(
            policy.hello_timeout_s, self.abort
        )
        self.codec: Codec = JSON
        self.owner: object = None
        """The host's record of this connection."""

    # --- asyncio ---------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one without inheriting it
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAD_PEER_MS)

    def limit_writes(self, high_bytes: int) -> None:
        """Sets the high-water mark of the write buffer."""
        self._transport.set_write_buffer_limits(high_bytes, high_bytes // 2)

    def data_received(self, data: bytes) -> None:
        protocol = self._protocol
        protocol.receive_data(data)
        for event in protocol.events_received():
            if isinstance(event, Request):
                self._handshake(event)
            else:
                assert isinstance(event, Frame)
                self._frame(event)
        self._flush()

    def eof_received(self) -> bool:
        self._protocol.receive_eof()
        self._flush()
        return False

    def pause_writing(self) -> None:
        # A client that does not read responses (pongs included) is not read from either.
        self._transport.pause_reading()
        self._events.writable(self, False)

    def resume_writing(self) -> None:
        self._transport.resume_reading()
        self._events.writable(self, True)

    def connection_lost(self, exc: Exception | None) -> None:
        self._handshake_is_over()
        if self.owner is not None:
            self._events.lost(self)

    # --- WebSocket -------------------------------------------------------------------------------------------

    def _handshake(self, request: Request) -> None:
        protocol = self._protocol
        if request.path.partition("?")[0] != PATH:
            protocol.send_response(protocol.reject(404, f"Sockets live at {PATH}.\n"))
        elif not self._events.accepts():
            protocol.send_response(protocol.reject(503, "This host is full or leaving; ask for another ticket.\n"))
        else:
            protocol.send_response(protocol.accept(request))
        if protocol.state is OPEN:
            self._handshake_is_over()
            if protocol.subprotocol is not None:
                self.codec = CODECS[protocol.subprotocol]
            self._events.opened(self)

    def _handshake_is_over(self) -> None:
        if self._handshake_ends is not None:
            self._handshake_ends.cancel()
            self._handshake_ends = None

    def _frame(self, frame: Frame) -> None:
        match frame.opcode:
            case Opcode.TEXT | Opcode.BINARY if frame.fin:
                self._events.message(self, bytes(frame.data), frame.opcode is Opcode.BINARY)
            case Opcode.TEXT | Opcode.BINARY:
                self._parts, self._binary = bytearray(frame.data), frame.opcode is Opcode.BINARY
                self._events.alive(self)
            case Opcode.CONT:
                assert self._parts is not None  # the protocol refuses a continuation of nothing
                self._parts += frame.data
                if frame.fin:
                    payload, self._parts = bytes(self._parts), None
                    self._events.message(self, payload, self._binary)
                else:
                    self._events.alive(self)
            case _:
                self._events.alive(self)

    def message_frame(self, payload: bytes) -> bytes:
        """Returns the WebSocket frame of one message, the same for all sockets of this subprotocol."""
        return Frame(Opcode.BINARY if self.codec.binary else Opcode.TEXT, payload).serialize(mask=False)

    def write(self, frame: bytes) -> None:
        """Sends a frame from message_frame(); does nothing once the connection is closing.

        This bypasses the protocol object, which keeps no state about complete messages, so one frame serves all
        receivers of an event.
        """
        if self._protocol.state is OPEN:
            self._transport.write(frame)

    def ping(self) -> None:
        """Sends a WebSocket ping."""
        if self._protocol.state is OPEN:
            self._protocol.send_ping(b"")
            self._flush()

    def close(self, code: CloseCode, reason: str) -> None:
        """Starts the closing handshake; aborts the connection if that takes too long."""
        if self._protocol.state is OPEN:
            self._protocol.send_close(int(code), reason)
            self._flush()

    def abort(self) -> None:
        """Aborts the connection."""
        self._transport.abort()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._transport.write(data)
            elif self._transport.can_write_eof() and not self._transport.is_closing():
                self._transport.write_eof()
        if self._protocol.close_expected() and not self._transport.is_closing():
            asyncio.get_running_loop().call_later(_CLOSE_TIMEOUT_S, self._transport.abort)


async def listen(
    events: SocketEvents, policy: RealtimePolicy, address: str, port: int, *, backlog: int = 4096
) -> asyncio.Server:
    """Listens on an address; port 0 picks a free one. Raises OSError."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: Socket(events, policy), address, port, backlog=backlog)
