"""What travels between two devices (Sesame §3.3): a ratchet message, at first with the handshake's header."""

from typing import NamedTuple

from crypto import wire
from crypto.errors import DecodeError
from crypto.handshake import InitialHeader

_RATCHET = 1
_INITIAL = 2
_MAX_HEADER = 4_096


class Initiation(NamedTuple):
    """What accompanies messages until the other side has answered.

    ``generation``: how often either side is known to have started over, < 2^32; it settles crossings.
    """

    header: InitialHeader
    generation: int


class SessionMessage(NamedTuple):
    """``initiation`` is None once the other side has answered."""

    initiation: Initiation | None
    ratchet_message: bytes

    def encode(self) -> bytes:
        """kind(1) | [generation(4) | header block] | ratchet message."""
        if self.initiation is None:
            return wire.u8(_RATCHET) + self.ratchet_message
        header, generation = self.initiation
        return b"".join((wire.u8(_INITIAL), wire.u32(generation), wire.block(header.encode()), self.ratchet_message))

    @classmethod
    def decode(cls, data: bytes) -> "SessionMessage":
        """The inverse of ``encode``; raises ``DecodeError``."""
        reader = wire.Reader(data, "session message")
        kind = reader.integer(1)
        if kind == _RATCHET:
            return cls(None, reader.rest())
        if kind != _INITIAL:
            raise DecodeError("session message: unknown kind")
        generation = reader.integer(4)
        header = InitialHeader.decode(reader.block(_MAX_HEADER))
        return cls(Initiation(header, generation), reader.rest())
