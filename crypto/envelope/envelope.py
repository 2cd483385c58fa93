"""What the server gets, stores and delivers: which protocol, the franking commitment, and the ciphertext."""

from dataclasses import dataclass, field
from enum import IntEnum

from crypto import wire
from crypto.errors import DecodeError
from crypto.franking.commitment import COMMITMENT_LENGTH

_VERSION = 1


class Protocol(IntEnum):
    """Who encrypted the message."""

    SESSION = 1  # crypto.sessions, for one device
    GROUP = 2  # crypto.mls, an MLSMessage


@dataclass(frozen=True, slots=True)
class Envelope:
    """``commitment``: 32 bytes, for the server's tag. Nothing here is secret.

    An altered protocol or commitment is noticed by the receiver: the ciphertext does not open, or the opening inside
    of it does not fit.
    """

    protocol: Protocol
    commitment: bytes
    ciphertext: bytes = field(repr=False)

    def __post_init__(self) -> None:
        wire.require_length("a commitment", self.commitment, COMMITMENT_LENGTH)

    def encode(self) -> bytes:
        """version(1) | protocol(1) | commitment(32) | ciphertext."""
        return wire.u8(_VERSION) + wire.u8(self.protocol) + self.commitment + self.ciphertext

    @classmethod
    def decode(cls, data: bytes) -> "Envelope":
        """The inverse of ``encode``; raises ``DecodeError``, or ``UnsupportedStateVersion`` for a newer version."""
        reader = wire.Reader(data, "envelope")
        reader.state_version(_VERSION)
        try:
            protocol = Protocol(reader.integer(1))
        except ValueError:
            raise DecodeError("envelope: unknown protocol") from None
        return cls(protocol, reader.take(COMMITMENT_LENGTH), reader.rest())
