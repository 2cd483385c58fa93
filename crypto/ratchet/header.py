"""The message header of the Double Ratchet specification, §3.1 (HEADER and CONCAT)."""

import struct
from typing import NamedTuple

from crypto.errors import DecodeError

_LAYOUT = struct.Struct(">32sII")
_REKEYING_LAYOUT = struct.Struct(">32sIII")

HEADER_LENGTH = _LAYOUT.size  # 40
REKEYING_HEADER_LENGTH = _REKEYING_LAYOUT.size  # 44
MAX_NUMBER = 2**32 - 1
MAX_CHAIN = MAX_NUMBER  # messages of one chain: their count goes into the next chain's headers as PN


class Header(NamedTuple):
    """What the receiver needs to find the message key.

    ``ratchet_key``: the sender's current ratchet public key, 32 bytes. ``previous_length``: messages in the
    sender's previous sending chain (PN). ``number``: this message's index in its chain (N). ``rekey``:
    the number of the rekey that the sender's chain began with, 0 for none. All < 2^32.
    """

    ratchet_key: bytes
    previous_length: int
    number: int
    rekey: int = 0

    def encode(self) -> bytes:
        """ratchet_key(32) | previous_length(4) | number(4)."""
        return _LAYOUT.pack(self.ratchet_key, self.previous_length, self.number)

    @classmethod
    def decode(cls, data: bytes) -> "Header":
        """The inverse of ``encode``; raises ``DecodeError`` unless ``data`` has 40 bytes."""
        if len(data) != HEADER_LENGTH:
            raise DecodeError("ratchet header: not 40 bytes")
        return cls(*_LAYOUT.unpack(data))

    def encode_rekeying(self) -> bytes:
        """ratchet_key(32) | previous_length(4) | number(4) | rekey(4)."""
        return _REKEYING_LAYOUT.pack(*self)

    @classmethod
    def decode_rekeying(cls, data: bytes) -> "Header":
        """The inverse of ``encode_rekeying``; raises ``DecodeError`` unless ``data`` has 44 bytes."""
        if len(data) != REKEYING_HEADER_LENGTH:
            raise DecodeError("ratchet header: not 44 bytes")
        return cls(*_REKEYING_LAYOUT.unpack(data))
