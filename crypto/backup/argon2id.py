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

# What a blob, which nobody has verified yet, may ask of a device: KiB times passes, ten times the default.
_MAX_WORK = 1 << 21
_MAX_LANES = 64


@dataclass(frozen=True, slots=True)
class Argon2Parameters:
    """``memory`` in KiB, ``time`` in passes, ``lanes``. The default is RFC 9106 §4's second recommendation."""

    memory: int = 1 << 16
    time: int = 3
    lanes: int = 4

    def encode(self) -> bytes:
        """memory(4) | time(4) | lanes(1)."""
        return wire.u32(self.memory) + wire.u32(self.time) + wire.u8(self.lanes)

    @classmethod
    def read(cls, reader: wire.Reader) -> "Argon2Parameters":
        """Raises ``DecodeError`` for parameters that are invalid or absurdly expensive."""
        parameters = cls(reader.integer(4), reader.integer(4), reader.integer(1))
        if not (
            0 < parameters.lanes <= _MAX_LANES
            and 8 * parameters.lanes <= parameters.memory
            and 0 < parameters.memory * parameters.time <= _MAX_WORK
        ):
            raise DecodeError("Argon2 parameters out of range")
        return parameters


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
