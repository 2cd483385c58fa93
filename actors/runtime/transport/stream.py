"""The data plane's connections: asyncio protocols that shake hands, cut frames and mind backpressure.

One connection carries all calls from one router to one host. Bytes that are no frame, a frame that is
too large, or a wrong proof end that connection and nothing else.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import socket
from collections.abc import Callable
from typing import Any, Protocol, cast

from actors.runtime.errors import BadFrame, CallError, HandshakeFailed, from_wire, to_wire
from actors.runtime.transport.frames import (
    ANSWERS,
    CALLS,
    ERROR,
    HELLO,
    MAX_FRAME,
    OLDEST_PROTOCOL,
    PROTOCOL,
    PROVE,
    WELCOME,
    FrameBuffer,
    answers_frame,
    choose_version,
    frame,
    hello,
    pack,
    proof,
    unpack,
)

HANDSHAKE_SECONDS = 5.0
_HANDSHAKE_FRAME = 1024
_UNSENT_LIMIT = 64 << 20
"""Bytes of answers that wait for a peer which reads too slowly; beyond, it is cut off (and may come back)."""
_FULL_BATCH = 64
"""Answers to one frame that are not kept for the end of the event loop's turn."""
_SILENCE_MS = 4000
"""Milliseconds after which the kernel gives up a TCP connection whose packets nobody acknowledges."""


class _FrameProtocol(asyncio.Protocol):
    """What both ends share."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.buffer = FrameBuffer(_HANDSHAKE_FRAME)
        self.proven = False
        self.paused = False
        self._alarm: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not checked with isinstance: uvloop's transports are no subclasses of asyncio's.
        self.transport = cast(asyncio.Transport, transport)
        raw = transport.get_extra_info("socket")
        if raw is not None and raw.family != socket.AF_UNIX:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SILENCE_MS)
        loop = asyncio.get_running_loop()
        self._alarm = loop.call_later(HANDSHAKE_SECONDS, self.abort, HandshakeFailed("too slow"))

    def data_received(self, data: bytes) -> None:
        try:
            for payload in self.buffer.feed(data):
                self.received(unpack(payload))
        except CallError as error:
            self.abort(error)

    def received(self, items: list[Any]) -> None:
        raise NotImplementedError

    def proved(self) -> None:
        """The peer holds the secret: from now on it may send full frames."""
        self.proven = True
        self.buffer.limit = MAX_FRAME
        if self._alarm is not None:
            self._alarm.cancel()

    def abort(self, error: CallError) -> None:
        """Ends this connection."""
        if self.transport is not None:
            self.transport.abort()

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False

    def connection_lost(self, exc: Exception | None) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self.transport = None


class CallReceiver(Protocol):
    """What a host does with CALLS frames."""

    def __call__(self, origin: HostConnection, caller: bytes, items: list[Any]) -> None: ...


class HostConnection(_FrameProtocol):
    """The host's end."""

    def __init__(self, secret: bytes, receive: CallReceiver, connections: set[HostConnection]) -> None:
        super().__init__()
        self._secret = secret
        self._receive = receive
        self._connections = connections
        self._nonce = secrets.token_bytes(16) + bytes([PROTOCOL])
        """As the router sees it in HELLO, with the newest version."""
        self._caller = b""
        self._answers: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._connections.add(self)
        self._write(hello(self._nonce[:-1]))

    def received(self, items: list[Any]) -> None:
        if self.proven:
            if items[0] != CALLS or len(items) < 2 or type(items[1]) is not int:
                raise BadFrame(f"frame type {items[0]} is not for a host")
            self._receive(self, self._caller, items)
            if len(self._answers) >= _FULL_BATCH:
                self._flush()  # so that the router works on them while we do on the next frame
            return
        match items:
            case [kind, int(version), bytes(caller), bytes(nonce), bytes(mac)] if kind == PROVE:
                if not OLDEST_PROTOCOL <= version <= PROTOCOL:
                    raise HandshakeFailed(f"protocols {OLDEST_PROTOCOL} to {PROTOCOL} are spoken here, not {version}")
                expected = proof(self._secret, b"router", self._nonce, nonce, caller, version)
                if len(caller) != 8 or not hmac.compare_digest(mac, expected):
                    raise HandshakeFailed("wrong secret")
                self._caller = caller
                mac = proof(self._secret, b"host", self._nonce, nonce, caller, version)
                self._write(frame(pack((WELCOME, mac))))
                self.proved()
            case _:
                raise HandshakeFailed("the first frame proves the secret")

    def answer(self, packed: bytes) -> None:
        """Sends a packed answer with the others of this turn of the event loop."""
        if self.transport is None:
            return
        if not self._answers:
            asyncio.get_running_loop().call_soon(self._flush)
        self._answers.append(packed)

    def _flush(self) -> None:
        answers, self._answers = self._answers, []
        if not answers:
            return
        batch: list[bytes] = []
        size = 0
        for packed in answers:
            if size + len(packed) > MAX_FRAME // 2 and batch:
                self._write(answers_frame(batch))
                batch, size = [], 0
            batch.append(packed)
            size += len(packed)
        self._write(answers_frame(batch))

    def _write(self, data: bytes) -> None:
        if self.transport is None:
            return
        self.transport.write(data)
        if self.paused and self.transport.get_write_buffer_size() > _UNSENT_LIMIT:
            self.transport.abort()

    def abort(self, error: CallError) -> None:
        status, detail = to_wire(error)
        if self.transport is not None:
            self.transport.write(frame(pack((ERROR, status, detail))))
            self.transport.close()

    # A router that does not read its answers is not read from either.
    def pause_writing(self) -> None:
        super().pause_writing()
        if self.transport is not None:
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.transport is not None:
            self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._connections.discard(self)


class Link(_FrameProtocol):
    """The router's end. ``ready`` resolves when the host has proved itself, or raises."""

    def __init__(
        self,
        secret: bytes,
        caller: bytes,
        on_answers: Callable[[list[Any]], None],
        on_writable: Callable[[], None],
        on_lost: Callable[[Link], None],
    ) -> None:
        super().__init__()
        self._secret = secret
        self._caller = caller
        self._nonce = secrets.token_bytes(16)
        self._host_nonce = b""
        self._on_answers = on_answers
        self._on_writable = on_writable
        self._on_lost = on_lost
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.since = 0.0
        """The loop's time at which the host had proved itself."""
        self.version = OLDEST_PROTOCOL
        """The protocol of this connection."""

    @property
    def up(self) -> bool:
        """Calls may be written."""
        return self.proven and self.transport is not None and not self.paused

    def write(self, data: bytes) -> None:
        """Sends a CALLS frame."""
        if self.transport is not None:
            self.transport.write(data)

    def received(self, items: list[Any]) -> None:
        if items[0] == ANSWERS and self.proven:
            self._on_answers(items)
            return
        match items:
            case [kind, int(version), bytes(nonce)] if kind == HELLO and not self._host_nonce:
                self.version = choose_version(version, nonce)
                self._host_nonce = nonce
                mac = proof(self._secret, b"router", nonce, self._nonce, self._caller, self.version)
                self.write(frame(pack((PROVE, self.version, self._caller, self._nonce, mac))))
            case [kind, bytes(mac)] if kind == WELCOME and self._host_nonce:
                expected = proof(self._secret, b"host", self._host_nonce, self._nonce, self._caller, self.version)
                if not hmac.compare_digest(mac, expected):
                    raise HandshakeFailed("the host does not hold the secret")
                self.proved()
                self.since = asyncio.get_running_loop().time()
                if not self.ready.done():
                    self.ready.set_result(None)
            case [kind, int(status), detail] if kind == ERROR:
                raise from_wire(status, detail)
            case _:
                raise BadFrame(f"frame type {items[0]} is not for a router")

    def abort(self, error: CallError) -> None:
        if not self.ready.done():
            self.ready.set_exception(error)
        super().abort(error)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._on_writable()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if not self.ready.done():
            self.ready.set_exception(HandshakeFailed("the connection closed during the handshake"))
        self._on_lost(self)
