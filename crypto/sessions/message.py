"""What travels between two devices (Sesame §3.3): a ratchet message, at first with the handshake's header."""

from typing import NamedTuple

from crypto import wire
from crypto.errors import DecodeError
from crypto.handshake import InitialHeader

_RATCHET = 1
_INITIAL = 2
_MAX_HEADER = 4_096


class SessionMessage(NamedTuple):
    """``header`` is sent until the other side has answered; afterwards it is None."""

    header: InitialHeader | None
    ratchet_message: bytes

    def encode(self) -> bytes:
        """kind(1) | [header block] | ratchet message."""
        if self.header is None:
            return wire.u8(_RATCHET) + self.ratchet_message
        return wire.u8(_INITIAL) + wire.block(self.header.encode()) + self.ratchet_message

    @classmethod
    def decode(cls, data: bytes) -> "SessionMessage":
        """The inverse of ``encode``; raises ``DecodeError``."""
        reader = wire.Reader(data, "session message")
        kind = reader.integer(1)
        if kind == _RATCHET:
            return cls(None, reader.rest())
        if kind == _INITIAL:
            return cls(InitialHeader.decode(reader.block(_MAX_HEADER)), reader.rest())
        raise DecodeError("session message: unknown kind")
