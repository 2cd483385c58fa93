"""The data plane's connections: asyncio protocols that shake hands, cut frames and mind backpressure.

One connection carries all calls from one router to one host. Bytes that are no frame, a frame that is
too large, or a wrong proof end that connection and nothing else.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import socket
import time
from collections import deque
from typing import Any, Protocol, cast

from actors.runtime.errors import BadFrame, CallError, HandshakeFailed, to_wire
from actors.runtime.transport.frames import (
    CALLS,
    ERROR,
    MAX_FRAME,
    OLDEST_PROTOCOL,
    PROTOCOL,
    PROVE,
    WELCOME,
    FrameBuffer,
    answers_frame,
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
_SLICE_SECONDS = 0.005
"""How long a host takes calls in an iteration of the event loop: its connections share it, each takes at least some."""
SOME_CALLS = 16
"""Calls of a frame that are taken together; those behind them may wait until others had their turn."""
_SILENCE_MS = 4000
"""Milliseconds after which the kernel gives up a TCP connection whose packets nobody acknowledges."""


class FrameProtocol(asyncio.Protocol):
    """What both ends share; the router's is in `link`."""

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
            self.arrived(self.buffer.feed(data))
        except CallError as error:
            self.abort(error)

    def arrived(self, payloads: list[bytes]) -> None:
        for payload in payloads:
            self.received(unpack(payload))

    def received(self, items: list[Any]) -> None:
        raise NotImplementedError

    def proved(self) -> None:
        """The peer holds the secret: it may send full frames."""
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


class HostConnection(FrameProtocol):
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
        self._frames: deque[bytes] = deque()
        """What came and is still to be taken. Nothing is read meanwhile."""
        self._head: list[Any] = []
        self._calls: deque[Any] = deque()
        """The rest of the frame that is being taken, and what its calls have in common."""
        self._reads = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._connections.add(self)
        self._write(hello(self._nonce[:-1]))

    def arrived(self, payloads: list[bytes]) -> None:
        waiting = self._has_waiting
        self._frames += payloads
        if not waiting:
            self._take_frames()

    @property
    def _has_waiting(self) -> bool:
        return bool(self._calls or self._frames)

    def _take_frames(self) -> None:
        """Takes what came, while it is this connection's turn. A router may have sent thousands of calls."""
        until = time.monotonic() + _SLICE_SECONDS / max(1, len(self._connections))
        try:
            while self._has_waiting and self.transport is not None:
                if self._calls:
                    self._take_calls()
                else:
                    self.received(unpack(self._frames.popleft()))
                if self._has_waiting and time.monotonic() >= until:
                    # Behind the other connections that have frames.
                    asyncio.get_running_loop().call_soon(self._take_frames)
                    break
        except CallError as error:
            self._take_nothing_more()
            self.abort(error)
        except Exception:
            self._take_nothing_more()
            if self.transport is not None:
                self.transport.abort()  # as the event loop does where ``data_received`` raises
            raise
        self._read_on()

    def _take_calls(self) -> None:
        calls = self._calls
        some = [calls.popleft() for _ in range(min(SOME_CALLS, len(calls)))]
        self._hand_over([*self._head, *some])

    def _take_nothing_more(self) -> None:
        self._frames.clear()
        self._calls.clear()

    def _read_on(self) -> None:
        """Reads if the peer reads its answers and nothing waits here."""
        transport, reads = self.transport, not self.paused and not self._has_waiting
        if transport is not None and reads is not self._reads and not transport.is_closing():
            self._reads = reads
            (transport.resume_reading if reads else transport.pause_reading)()

    def received(self, items: list[Any]) -> None:
        if self.proven:
            if items[0] != CALLS or len(items) < 2 or type(items[1]) is not int:
                raise BadFrame(f"frame type {items[0]} is not for a host")
            first = items[: 2 + SOME_CALLS]
            if len(items) > len(first):
                self._head, self._calls = items[:2], deque(items[len(first) :])
            self._hand_over(first)
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

    def _hand_over(self, items: list[Any]) -> None:
        self._receive(self, self._caller, items)
        if len(self._answers) >= _FULL_BATCH:
            self._flush()  # so that the router works on them while we do on the next calls

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
        if self.transport is not None:
            self.transport.write(frame(pack((ERROR, *to_wire(error)))))
            self.transport.close()

    # A router that does not read its answers is not read from either.
    def pause_writing(self) -> None:
        super().pause_writing()
        self._read_on()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._read_on()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._take_nothing_more()
        self._connections.discard(self)
