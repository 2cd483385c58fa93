"""The frames of the realtime protocol, version 1. docs/realtime.md is the specification.

Every frame is one WebSocket message: a map whose key `t` names its type. Sequence numbers count the events of one user,
start at 1 and are valid within one `stream` (an opaque string).
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from features.realtime.events import Item


class CloseCode(IntEnum):
    """Why the server closed a connection. 1xxx are defined by RFC 6455, section 7.4.1, 4xxx by this protocol."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    INVALID_TEXT = 1007
    MESSAGE_TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    BAD_FRAME = 4000
    TICKET_INVALID = 4001
    TICKET_REPLAYED = 4002
    HELLO_TIMEOUT = 4003
    HEARTBEAT_TIMEOUT = 4004
    SESSION_REVOKED = 4005
    SLOW_CONSUMER = 4006
    BAD_SEQUENCE = 4007
    TOO_MANY_FRAMES = 4008
    TOO_MANY_CONNECTIONS = 4009


# --- client to server ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Resume:
    """The last event the client has processed."""

    stream: str
    seq: int


@dataclass(frozen=True, slots=True)
class Hello:
    ticket: str
    resume: Resume | None = None


@dataclass(frozen=True, slots=True)
class Ack:
    """Cumulative: every event up to and including `seq` has been processed."""

    seq: int


@dataclass(frozen=True, slots=True)
class Ping:
    nonce: int = 0


@dataclass(frozen=True, slots=True)
class SetPresence:
    active: bool


@dataclass(frozen=True, slots=True)
class Watch:
    """Users whose presence changes the client wants to receive (hyphenated UUIDs)."""

    users: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """Something to do, answered by a Response with the same `id`, which is the client's to choose. `what` names it."""

    id: int
    what: str
    data: dict[str, Any]


ClientFrame = Hello | Ack | Ping | SetPresence | Watch | Request


# --- server to client ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Welcome:
    """`seq` is the number before the next event. `resumed` is false when events may have been missed."""

    connection: str
    stream: str
    seq: int
    resumed: bool
    heartbeat_ms: int
    window: int


@dataclass(frozen=True, slots=True)
class Events:
    """Consecutive events: items[0] has number `seq`, items[1] `seq + 1`, and so on."""

    seq: int
    items: tuple[Item, ...]

    @property
    def last(self) -> int:
        return self.seq + len(self.items) - 1


@dataclass(frozen=True, slots=True)
class Signal:
    """A transient event (presence, typing): never numbered, repeated or resumed."""

    kind: str
    data: Any


@dataclass(frozen=True, slots=True)
class Resync:
    """The events between the client's number and `seq` are lost: the client reads the state again over HTTP."""

    stream: str
    seq: int
    reason: str


@dataclass(frozen=True, slots=True)
class StreamChanged:
    """Sequence numbers continue under another stream name. Nothing was lost."""

    stream: str


@dataclass(frozen=True, slots=True)
class Slow:
    """Delivery is paused after event `seq` until the client reads or acknowledges."""

    seq: int


@dataclass(frozen=True, slots=True)
class Pong:
    nonce: int


@dataclass(frozen=True, slots=True)
class Reconnect:
    """The server is about to close: reconnect with a new ticket after `after_ms`."""

    after_ms: int


@dataclass(frozen=True, slots=True)
class ErrorFrame:
    """An error. A close follows a `fatal` one."""

    code: str
    detail: str
    fatal: bool


@dataclass(frozen=True, slots=True)
class Response:
    """What a Request came to: `data`, or a `problem`: a map with the `code` and `detail` that HTTP would have."""

    id: int
    data: Any = None
    problem: Any = None


ServerFrame = Response | Welcome | Events | Signal | Resync | StreamChanged | Slow | Pong | Reconnect | ErrorFrame
