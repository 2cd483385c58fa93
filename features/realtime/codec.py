"""Codecs of the two subprotocols: frames as JSON text messages or as msgpack binary messages."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgpack
import orjson

from features.realtime.frames import (
    Ack,
    ClientFrame,
    CloseCode,
    ErrorFrame,
    Events,
    Hello,
    Ping,
    Pong,
    Reconnect,
    Request,
    Response,
    Resume,
    Resync,
    ServerFrame,
    SetPresence,
    Signal,
    Slow,
    StreamChanged,
    Watch,
    Welcome,
)

MAX_SEQ = 2**53 - 1
"""The largest integer that a JSON client can hold exactly."""
_MAX_TICKET = 256
_MAX_STREAM = 64
_MAX_WATCH = 1000
_MAX_WHAT = 40


class BadFrame(Exception):
    """A message that is not a frame of this protocol.

    `code` goes to the client. `close` is the close code where the connection cannot go on, else None.
    """

    def __init__(self, code: str, detail: str, close: CloseCode | None = None) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.close = close


@dataclass(frozen=True, slots=True)
class Codec:
    """One subprotocol. `binary` says whether its WebSocket messages are binary or text."""

    subprotocol: str
    binary: bool
    pack: Callable[[Any], bytes]
    unpack: Callable[[bytes], Any]

    def encode(self, frame: ServerFrame) -> bytes:
        """Returns a frame as the payload of one WebSocket message."""
        return self.pack(_to_map(frame))

    def decode(self, payload: bytes, *, binary: bool) -> ClientFrame:
        """Returns the client frame in a message. Raises BadFrame."""
        if binary != self.binary:
            expected = "binary" if self.binary else "text"
            raise BadFrame("wrong_message_type", f"{expected} messages only", CloseCode.UNSUPPORTED_DATA)
        try:
            message = self.unpack(payload)
        except UnicodeDecodeError as error:
            raise BadFrame("bad_utf8", str(error), CloseCode.INVALID_TEXT) from error
        except (ValueError, TypeError, msgpack.UnpackException, RecursionError) as error:
            raise BadFrame("bad_encoding", str(error) or type(error).__name__, CloseCode.BAD_FRAME) from error
        return _from_map(message)


def _unpack_msgpack(payload: bytes) -> Any:
    return msgpack.unpackb(payload, raw=False, strict_map_key=True, timestamp=0)


def _unpack_json(payload: bytes) -> Any:
    return orjson.loads(payload.decode())  # decoded first, so that bad UTF-8 is told apart from bad JSON


def _pack_json(value: Any) -> bytes:
    return orjson.dumps(value, default=_base64)


def _base64(value: object) -> str:
    """Returns bytes, which JSON does not have, as text. Raises TypeError for anything else."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} is nothing that JSON has")


JSON = Codec("realtime.v1.json", False, _pack_json, _unpack_json)
MSGPACK = Codec("realtime.v1.msgpack", True, msgpack.packb, _unpack_msgpack)
CODECS = {codec.subprotocol: codec for codec in (MSGPACK, JSON)}
"""By subprotocol name, the server's preference first."""


def _from_map(message: Any) -> ClientFrame:
    if not isinstance(message, dict):
        raise BadFrame("bad_frame", "a frame is a map", CloseCode.BAD_FRAME)
    kind = message.get("t")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise BadFrame("unknown_frame", f"unknown frame type {str(kind)[:40]!r}")
    return reader(message)


def _text(message: dict[str, Any], key: str, limit: int) -> str:
    value = message.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= limit:
        raise BadFrame("bad_frame", f"{key!r} is a string of 1 to {limit} characters")
    return value


def _number(message: dict[str, Any], key: str) -> int:
    value = message.get(key)
    if type(value) is not int or not 0 <= value <= MAX_SEQ:
        raise BadFrame("bad_frame", f"{key!r} is an integer from 0 to 2^53-1")
    return value


def _hello(message: dict[str, Any]) -> Hello:
    resume = message.get("resume")
    if resume is None:
        return Hello(_text(message, "ticket", _MAX_TICKET))
    if not isinstance(resume, dict):
        raise BadFrame("bad_frame", "'resume' is a map with 'stream' and 'seq'")
    point = Resume(_text(resume, "stream", _MAX_STREAM), _number(resume, "seq"))
    return Hello(_text(message, "ticket", _MAX_TICKET), point)


def _presence(message: dict[str, Any]) -> SetPresence:
    state = message.get("state")
    if state not in ("active", "away"):
        raise BadFrame("bad_frame", "'state' is 'active' or 'away'")
    return SetPresence(state == "active")


def _watch(message: dict[str, Any]) -> Watch:
    users = message.get("users")
    if not isinstance(users, list) or len(users) > _MAX_WATCH:
        raise BadFrame("bad_frame", f"'users' is a list of at most {_MAX_WATCH} ids")
    try:
        return Watch(tuple(str(UUID(user)) for user in users))
    except (ValueError, AttributeError, TypeError) as error:
        raise BadFrame("bad_frame", "'users' holds UUIDs") from error


def _request(message: dict[str, Any]) -> Request:
    data = message.get("data")
    if not isinstance(data, dict):
        raise BadFrame("bad_frame", "'data' is a map")
    return Request(_number(message, "id"), _text(message, "what", _MAX_WHAT), data)


_READERS: dict[str, Callable[[dict[str, Any]], ClientFrame]] = {
    "hello": _hello,
    "ack": lambda message: Ack(_number(message, "seq")),
    "ping": lambda message: Ping(_number(message, "n") if "n" in message else 0),
    "presence": _presence,
    "watch": _watch,
    "request": _request,
}


def _to_map(frame: ServerFrame) -> dict[str, Any]:
    match frame:
        case Events(seq, items):
            return {
                "t": "events",
                "seq": seq,
                "items": [{"kind": i.kind, "at": i.at_ms, "data": _unpack_msgpack(i.data)} for i in items],
            }
        case Welcome():
            return {
                "t": "welcome",
                "connection": frame.connection,
                "stream": frame.stream,
                "seq": frame.seq,
                "resumed": frame.resumed,
                "heartbeat_ms": frame.heartbeat_ms,
                "window": frame.window,
            }
        case Response(id, data, None):
            return {"t": "response", "id": id, "data": data}
        case Response(id, _, problem):
            return {"t": "response", "id": id, "problem": problem}
        case Signal(kind, data):
            return {"t": "signal", "kind": kind, "data": data}
        case Resync(stream, seq, reason):
            return {"t": "resync", "stream": stream, "seq": seq, "reason": reason}
        case StreamChanged(stream):
            return {"t": "stream", "stream": stream}
        case Slow(seq):
            return {"t": "slow", "seq": seq}
        case Pong(nonce):
            return {"t": "pong", "n": nonce}
        case Reconnect(after_ms):
            return {"t": "reconnect", "after_ms": after_ms}
        case ErrorFrame(code, detail, fatal):
            return {"t": "error", "code": code, "detail": detail, "fatal": fatal}
