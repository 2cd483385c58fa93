"""What the machine of a connection has its host do."""

from dataclasses import dataclass

from features.realtime.frames import CloseCode, Hello, Request, ServerFrame, SetPresence, Watch


@dataclass(frozen=True, slots=True)
class Transmit:
    frame: ServerFrame


@dataclass(frozen=True, slots=True)
class Attach:
    """Redeem the ticket, register the socket with the live session, then call attached() or refused()."""

    hello: Hello


@dataclass(frozen=True, slots=True)
class Fetch:
    """Fetch the events after `seq` of `stream` from the live session, then call fetched() or fetch_failed()."""

    stream: str
    seq: int


@dataclass(frozen=True, slots=True)
class Forward:
    """Forward a client frame to the live session."""

    frame: SetPresence | Watch


@dataclass(frozen=True, slots=True)
class Perform:
    """Do what a request asks for, then call answered()."""

    request: Request


@dataclass(frozen=True, slots=True)
class Probe:
    """Send a WebSocket ping."""


@dataclass(frozen=True, slots=True)
class Close:
    code: CloseCode
    reason: str


Effect = Transmit | Attach | Fetch | Forward | Perform | Probe | Close
