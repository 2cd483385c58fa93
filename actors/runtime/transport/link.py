"""The router's end of a connection between a router and a host."""

from __future__ import annotations

import asyncio
import hmac
import secrets
import socket
from collections.abc import Callable
from typing import Any

from actors.runtime.errors import BadFrame, CallError, HandshakeFailed, from_wire
from actors.runtime.transport.acknowledgements import Acknowledgements
from actors.runtime.transport.frames import (
    ANSWERS,
    ERROR,
    HELLO,
    OLDEST_PROTOCOL,
    PROVE,
    WELCOME,
    choose_version,
    frame,
    pack,
    proof,
)
from actors.runtime.transport.stream import FrameProtocol


class Link(FrameProtocol):
    """A connection to a host. ``ready`` resolves when the host has proved itself, or raises."""

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
        self._acknowledgements: Acknowledgements | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        raw = transport.get_extra_info("socket")
        if raw is not None and raw.family != socket.AF_UNIX:
            self._acknowledgements = Acknowledgements(raw)

    @property
    def up(self) -> bool:
        """Calls may be written."""
        return self.proven and self.transport is not None and not self.paused

    def silent(self, now: float) -> bool:
        """Whether the host's node takes nothing that is sent to it. Looked at from time to time."""
        if self._acknowledgements is None or self.transport is None:
            return False
        return self._acknowledgements.overdue(now)

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
