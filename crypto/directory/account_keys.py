"""What the directory says about one account: the identity keys of all its devices, in a chain of numbered versions."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from crypto import curve25519, wire
from crypto.errors import DecodeError
from crypto.identity import IdentityKey

MAX_DEVICES = 64
OPENING_LENGTH = 32

_VERSION = 1
_MAX_USER_LENGTH = 256
_DIGEST_LENGTH = 32
_NOTHING_BEFORE = bytes(_DIGEST_LENGTH)
_LABEL = b"Entativa directory 1 commitment"


@dataclass(frozen=True, slots=True)
class AccountKeys:
    """``number``: 1 for the first version, then one more each. ``previous``: digest of the version before, 32 bytes."""

    user: str
    number: int
    previous: bytes
    devices: tuple[tuple[int, IdentityKey], ...]

    def __post_init__(self) -> None:
        wire.require_length("a digest", self.previous, _DIGEST_LENGTH)
        numbers = [device for device, _ in self.devices]
        if numbers != sorted(set(numbers)) or len(numbers) > MAX_DEVICES:
            raise DecodeError("account keys: devices are not in order, not unique, or too many")
        if self.number < 1 or (self.number == 1) != (self.previous == _NOTHING_BEFORE):
            raise DecodeError("account keys: the first version follows nothing, and every other one something")

    @classmethod
    def first(cls, user: str, devices: Mapping[int, IdentityKey]) -> "AccountKeys":
        """The first version. Raises ``DecodeError`` for more than 64 devices."""
        return cls(user, 1, _NOTHING_BEFORE, tuple(sorted(devices.items())))

    def successor(self, devices: Mapping[int, IdentityKey]) -> "AccountKeys":
        """The next version, with these devices."""
        return AccountKeys(self.user, self.number + 1, self.digest, tuple(sorted(devices.items())))

    def follows(self, number: int, digest: bytes) -> bool:
        """Whether this is the version right after number ``number`` with ``digest``."""
        return self.number == number + 1 and hmac.compare_digest(self.previous, digest)

    @property
    def digest(self) -> bytes:
        """SHA-256 of the encoding, 32 bytes: names this version and all before it."""
        return hashlib.sha256(self.encode()).digest()

    def commitment(self, opening: bytes) -> bytes:
        """What the map holds, 32 bytes: says nothing about the keys without ``opening`` (32 bytes)."""
        wire.require_length("an opening", opening, OPENING_LENGTH)
        return hmac.digest(opening, _LABEL + self.encode(), "sha256")

    def encode(self) -> bytes:
        """version(1) | user block | number(8) | previous(32) | count(4), device(4) identity(33) ..."""
        parts = [
            wire.u8(_VERSION),
            wire.text(self.user, _MAX_USER_LENGTH),
            wire.u64(self.number),
            self.previous,
            wire.u32(len(self.devices)),
        ]
        parts += [wire.u32(device) + identity.encode() for device, identity in self.devices]
        return b"".join(parts)

    @classmethod
    def decode(cls, data: bytes) -> "AccountKeys":
        """The inverse of ``encode``; raises ``DecodeError``."""
        reader = wire.Reader(data, "account keys")
        reader.format_version(_VERSION)
        user, number, previous = reader.text(_MAX_USER_LENGTH), reader.integer(8), reader.take(_DIGEST_LENGTH)
        devices = tuple(
            (reader.integer(4), IdentityKey.decode(reader.take(curve25519.ENCODED_LENGTH)))
            for _ in range(reader.count(MAX_DEVICES))
        )
        reader.finish()
        return cls(user, number, previous, devices)
