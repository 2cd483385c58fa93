"""Argon2id (RFC 9106) for passphrases and PINs, with parameters that travel with the blob."""

import unicodedata
from dataclasses import dataclass

from argon2.exceptions import HashingError
from argon2.low_level import Type, hash_secret_raw

from crypto import wire
from crypto.backup.errors import NotEnoughMemory
from crypto.errors import DecodeError

SALT_LENGTH = 16
OUTPUT_LENGTH = 32

# What a blob, which nobody has verified yet, may ask of a device: 256 MiB, which a phone has, and KiB times passes,
# ten times the default. RFC 9106's first recommendation (2 GiB) is refused on purpose.
_MAX_MEMORY = 1 << 18
_MAX_WORK = 1 << 21
_MAX_LANES = 64


@dataclass(frozen=True, slots=True)
class Argon2Parameters:
    """``memory`` in KiB, at most 256 MiB; ``time`` in passes; ``lanes``.

    The default is RFC 9106 §4's second recommendation. Raises ``DecodeError`` for parameters that are invalid or
    absurdly expensive, so that nothing is written that no device would read.
    """

    memory: int = 1 << 16
    time: int = 3
    lanes: int = 4

    def __post_init__(self) -> None:
        if not (
            0 < self.lanes <= _MAX_LANES
            and 8 * self.lanes <= self.memory <= _MAX_MEMORY
            and 0 < self.memory * self.time <= _MAX_WORK
        ):
            raise DecodeError("Argon2 parameters out of range")

    def encode(self) -> bytes:
        """memory(4) | time(4) | lanes(1)."""
        return wire.u32(self.memory) + wire.u32(self.time) + wire.u8(self.lanes)

    @classmethod
    def read(cls, reader: wire.Reader) -> "Argon2Parameters":
        """The inverse of ``encode``; raises ``DecodeError``."""
        return cls(reader.integer(4), reader.integer(4), reader.integer(1))


def normalized(passphrase: str) -> bytes:
    """The passphrase in NFKC as UTF-8, so that keyboards that compose differently agree."""
    return unicodedata.normalize("NFKC", passphrase).encode()


def stretch(secret: bytes, salt: bytes, parameters: Argon2Parameters) -> bytes:
    """32 bytes. ``salt``: 16 bytes. Raises ``NotEnoughMemory``."""
    try:
        return hash_secret_raw(
            secret, salt, parameters.time, parameters.memory, parameters.lanes, OUTPUT_LENGTH, Type.ID
        )
    except HashingError:
        raise NotEnoughMemory("this device cannot compute Argon2id with these parameters") from None
