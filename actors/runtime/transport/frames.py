"""The bytes of the data plane: a 4-byte big-endian length, then one msgpack array whose first item is the frame's type.

| frame   | from   | items after the type                                                                         |
|---------|--------|----------------------------------------------------------------------------------------------|
| HELLO   | host   | oldest version it speaks, nonce (16 bytes) and newest version (1 byte)                       |
| PROVE   | router | version of this connection, caller (8 bytes), nonce (16 bytes), mac (32 bytes)               |
| WELCOME | host   | mac (32 bytes)                                                                               |
| CALLS   | router | oldest unsettled call, then per call: [call, kind, entity, milliseconds left, message, trace] |
| ANSWERS | host   | per response: the bytes of [call, status, value]                                             |
| ERROR   | host   | status, detail; the host closes after it                                                     |

**Versions.** This code speaks versions OLDEST_PROTOCOL to PROTOCOL, so hosts and routers of two neighbouring versions
work together while an update is under way. The router chooses the newest version that both speak. Version 2 had no
choice: its HELLO was one version and a nonce, which is why the newest version stands behind the nonce, where a router
of version 2 takes it for a part of that. The mac covers both, so nobody in between can lower the version unnoticed.
A Ray call has no handshake: its CALLS frame has the version of the last connection to that host, else the oldest.
A host reads the calls of every version that it speaks, whatever the handshake said: they differ in length.

| version | change |
|---------|--------|
| 2       | each message and response is read by itself |
| 3       | a call carries its trace (a W3C traceparent, or nil); the version is negotiated |

**Messages inside frames.** Message and value are msgpack inside msgpack's bytes, and each is read by itself: one that
cannot be read (a map whose key is a list) is an error of its own call, not of the frame in which others travel.

**Authentication.** Both sides prove that they hold the cluster's secret: mac = HMAC-SHA-256(secret, role, version,
host's nonce, router's nonce, caller). This covers the start of a connection, not each frame: like Ray's own ports, the
listeners belong on a network that outsiders cannot write to.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import msgpack

from actors.runtime.errors import BadFrame, EntityFailed, FrameTooLarge, HandshakeFailed

PROTOCOL = 3
"""The newest version that this code speaks, and which it prefers."""
OLDEST_PROTOCOL = 2
"""The oldest version that this code speaks: that of the release before."""
_TRACES = 3
"""The first version whose calls carry a trace."""
_NONCE_BYTES = 16
HELLO, PROVE, WELCOME, ERROR = 0, 1, 2, 5
# 3 and 4 were those of version 1, which nobody speaks any more.
CALLS, ANSWERS = 6, 7

MAX_FRAME = 8 << 20
"""Bytes a frame may have; a longer one closes the connection."""
MAX_BODY = 4 << 20
"""Bytes one message or reply may have, so that it fits into a frame with its envelope."""
FULL_FRAME = 256 << 10
"""Bytes at which a batch is cut: large enough to amortise, small enough to keep the peer's loop turning."""

# Statuses of answers beyond those of actors.runtime.errors.
DONE = 0
MOVED = 20
"""The value is the host that owns the shard."""
NOT_MINE = 21
"""Nobody known owns the shard now, or the turn lost a race with its move: ask again soon."""
STALE = "stale"
"""The value of a NOT_MINE whose turn the database refused."""
RUNNING = "running"
"""The value of a NOT_MINE that is under way: ask the same host again at once, and wait there for the answer."""

_UNREADABLE = (ValueError, TypeError, msgpack.exceptions.UnpackException, RecursionError)

# One packer for all: making one costs more than what it packs. It is done before another thread may enter.
pack = msgpack.Packer(autoreset=True).pack


def frame(payload: bytes) -> bytes:
    """A payload with its length before it."""
    return len(payload).to_bytes(4, "big") + payload


def pack_body(value: Any) -> bytes:
    """A message or reply as msgpack. Raises FrameTooLarge, or TypeError for what msgpack does not carry."""
    body: bytes = pack(value)
    if len(body) > MAX_BODY:
        raise FrameTooLarge(f"{len(body)} bytes, at most {MAX_BODY} fit")
    return body


def unpack_body(body: bytes) -> Any:
    """The message or reply. Raises BadFrame for what cannot be read here."""
    try:
        return msgpack.unpackb(body, strict_map_key=False)
    except _UNREADABLE as error:
        raise BadFrame(f"a value that cannot be read: {error or type(error).__name__}") from error


def pack_call(
    version: int, call: int, kind: str, entity: str, milliseconds: int, message: bytes, trace: str | None
) -> bytes:
    """One call of a CALLS frame, as a host of this version reads it."""
    packed: bytes = (
        pack((call, kind, entity, milliseconds, message, trace))
        if version >= _TRACES
        else pack((call, kind, entity, milliseconds, message))
    )
    return packed


def calls_frame(oldest: int, calls: Sequence[bytes]) -> bytes:
    """CALLS from what pack_call() made. ``oldest``: below this number the caller needs no response any more."""
    return frame(b"".join((b"\xdd", (len(calls) + 2).to_bytes(4, "big"), pack(CALLS), pack(oldest), *calls)))


def answers_frame(answers: Sequence[bytes]) -> bytes:
    """ANSWERS from packed [call, status, value] triples."""
    return frame(pack((ANSWERS, *answers)))


def pack_answer(call: int, status: int, value: Any) -> bytes:
    """One response. A reply that is too large or no msgpack value becomes the error that says so."""
    try:
        packed: bytes = pack((call, status, value))
    except (TypeError, ValueError, OverflowError) as error:
        return pack_answer(call, EntityFailed.status, f"the reply is no msgpack value: {error}")
    if len(packed) > MAX_BODY:
        return pack_answer(call, FrameTooLarge.status, f"the reply has {len(packed)} bytes")
    return packed


def unpack_answer(packed: bytes) -> tuple[int, int, Any]:
    """(call, status, value); a value that cannot be read becomes the error that says so. Raises BadFrame for less."""
    try:
        call, status, value = unpack_body(packed)
    except BadFrame as error:
        unpacker = msgpack.Unpacker()
        try:
            unpacker.feed(packed)
            unpacker.read_array_header()
            return unpacker.unpack(), BadFrame.status, str(error)
        except _UNREADABLE:
            raise error from None
    except (TypeError, ValueError) as error:
        raise BadFrame("an answer is [call, status, value]") from error
    return call, status, value


def unpack(payload: bytes | memoryview) -> list[Any]:
    """The frame's items. Raises BadFrame for anything that is not an array starting with a frame type."""
    try:
        items = msgpack.unpackb(payload, strict_map_key=False)
    except _UNREADABLE as error:
        raise BadFrame(f"no msgpack: {error}") from error
    if type(items) is not list or not items or type(items[0]) is not int:
        raise BadFrame("a frame is an array that starts with its type")
    return items


class FrameBuffer:
    """Cuts a byte stream into payloads. Holds at most one frame beyond what was fed."""

    def __init__(self, limit: int = MAX_FRAME) -> None:
        self._bytes = bytearray()
        self.limit = limit

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads that ``data`` completes. Raises FrameTooLarge as soon as a length says so."""
        buffer = self._bytes
        buffer += data
        payloads = []
        start, end = 0, len(buffer)
        while end - start >= 4:
            length = int.from_bytes(buffer[start : start + 4], "big")
            if length > self.limit:
                raise FrameTooLarge(f"a frame of {length} bytes, at most {self.limit} are taken")
            if end - start - 4 < length:
                break
            payloads.append(bytes(buffer[start + 4 : start + 4 + length]))
            start += 4 + length
        if start:
            del buffer[:start]
        return payloads


def hello(nonce: bytes) -> bytes:
    """The HELLO frame of a host."""
    return frame(pack((HELLO, OLDEST_PROTOCOL, nonce + bytes([PROTOCOL]))))


def choose_version(oldest: int, nonce: bytes) -> int:
    """The newest version that this code and the sender of a HELLO both speak. Raises HandshakeFailed without one."""
    newest = nonce[_NONCE_BYTES] if len(nonce) > _NONCE_BYTES else oldest
    version = min(PROTOCOL, newest)
    if version < max(OLDEST_PROTOCOL, oldest):
        raise HandshakeFailed(
            f"the host speaks protocols {oldest} to {newest}, this is {OLDEST_PROTOCOL} to {PROTOCOL}"
        )
    return version


def proof(
    secret: bytes, role: bytes, host_nonce: bytes, router_nonce: bytes, caller: bytes, version: int = OLDEST_PROTOCOL
) -> bytes:
    """The mac by which ``role`` (b"router" or b"host") proves the secret; 32 bytes. ``host_nonce`` is all that HELLO
    had there, its version included."""
    if version >= _TRACES:
        role += bytes([version])
    return hmac.digest(secret, b"entativa-stream-1" + role + host_nonce + router_nonce + caller, sha256)
