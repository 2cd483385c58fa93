"""What the log of identity keys records: which key a device of an account has, or that the device is gone."""

from dataclasses import dataclass

from crypto import curve25519, wire
from crypto.identity import IdentityKey

_VERSION = 1
_MAX_USER_LENGTH = 256


@dataclass(frozen=True, slots=True)
class IdentityEntry:
    """``identity`` is None when the device was removed. ``timestamp``: milliseconds since the epoch."""

    user: str
    device: int
    identity: IdentityKey | None
    timestamp: int

    def encode(self) -> bytes:
        """The Merkle leaf: version(1) | user block | device(4) | flag [identity(33)] | timestamp(8)."""
        identity = b"\x00" if self.identity is None else b"\x01" + self.identity.encode()
        return (
            wire.u8(_VERSION)
            + wire.text(self.user, _MAX_USER_LENGTH)
            + wire.u32(self.device)
            + identity
            + wire.u64(self.timestamp)
        )

    @classmethod
    def decode(cls, data: bytes) -> "IdentityEntry":
        """The inverse of ``encode``; raises ``DecodeError``."""
        reader = wire.Reader(data, "identity entry")
        reader.format_version(_VERSION)
        user, device = reader.text(_MAX_USER_LENGTH), reader.integer(4)
        identity = IdentityKey.decode(reader.take(curve25519.ENCODED_LENGTH)) if reader.flag() else None
        timestamp = reader.integer(8)
        reader.finish()
        return cls(user, device, identity, timestamp)
