"""The message header of the Double Ratchet specification, §3.1 (HEADER and CONCAT)."""

import struct
from typing import NamedTuple

from crypto.errors import DecodeError

_LAYOUT = struct.Struct(">32sII")

HEADER_LENGTH = _LAYOUT.size  # 40
MAX_NUMBER = 2**32 - 1
MAX_CHAIN = MAX_NUMBER  # messages of one chain: their count goes into the next chain's headers as PN


class Header(NamedTuple):
    """What the receiver needs to find the message key.

    ``ratchet_key``: the sender's current ratchet public key, 32 bytes. ``previous_length``: messages in the
    sender's previous sending chain (PN). ``number``: this message's index in its chain (N). Both < 2^32.
    """

    ratchet_key: bytes
    previous_length: int
    number: int

    def encode(self) -> bytes:
        """ratchet_key(32) | previous_length(4) | number(4)."""
        return _LAYOUT.pack(self.ratchet_key, self.previous_length, self.number)

    @classmethod
    def decode(cls, data: bytes) -> "Header":
        """The inverse of ``encode``; raises ``DecodeError`` unless ``data`` has 40 bytes."""
        if len(data) != HEADER_LENGTH:
            raise DecodeError("ratchet header: not 40 bytes")
        return cls(*_LAYOUT.unpack(data))
