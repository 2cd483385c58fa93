"""What an initiator sends in front of its first ratchet messages (X3DH §3.3, PQXDH §3.3)."""

from dataclasses import dataclass
from enum import IntEnum

from crypto import curve25519, wire
from crypto.errors import DecodeError
from crypto.handshake import kem
from crypto.identity import IdentityKey


class HandshakeVersion(IntEnum):
    """Which agreement a session came from. It is part of the KDF's info, so it cannot be changed underway."""

    X3DH = 1
    HYBRID = 2  # PQXDH with ML-KEM-768
    HYBRID_REKEYING = 3  # the same, and the ratchet rekeys with ML-KEM-768, too


@dataclass(frozen=True, slots=True)
class InitialHeader:
    """Names the prekeys that were used. ``ephemeral``: 32 bytes. The KEM fields are None for X3DH only."""

    version: HandshakeVersion
    identity: IdentityKey
    ephemeral: bytes
    signed_id: int
    one_time_id: int | None
    kem_id: int | None
    kem_ciphertext: bytes | None

    def __post_init__(self) -> None:
        wire.require_length("an ephemeral key", self.ephemeral, curve25519.KEY_LENGTH)
        if self.kem_ciphertext is not None:
            wire.require_length("a KEM ciphertext", self.kem_ciphertext, kem.CIPHERTEXT_LENGTH)

    def encode(self) -> bytes:
        """version(1) | identity(33) | ephemeral(32) | signed id(4) | flag [id(4)] | not X3DH: id(4) | ct(1088)."""
        parts = [
            wire.u8(self.version),
            self.identity.encode(),
            self.ephemeral,
            wire.u32(self.signed_id),
            b"\x00" if self.one_time_id is None else b"\x01" + wire.u32(self.one_time_id),
        ]
        if self.version is not HandshakeVersion.X3DH:
            assert self.kem_id is not None
            assert self.kem_ciphertext is not None
            parts += [wire.u32(self.kem_id), self.kem_ciphertext]
        return b"".join(parts)

    @classmethod
    def decode(cls, data: bytes) -> "InitialHeader":
        """The inverse of ``encode``; raises ``DecodeError``."""
        reader = wire.Reader(data, "initial header")
        try:
            version = HandshakeVersion(reader.integer(1))
        except ValueError:
            raise DecodeError("initial header: unknown version") from None
        identity = IdentityKey.decode(reader.take(curve25519.ENCODED_LENGTH))
        ephemeral = reader.take(curve25519.KEY_LENGTH)
        if not curve25519.is_canonical(ephemeral):  # an alias would pass for a handshake not seen before
            raise DecodeError("initial header: the ephemeral key is not canonical")
        signed_id = reader.integer(4)
        one_time_id = reader.integer(4) if reader.flag() else None
        kem_id = kem_ciphertext = None
        if version is not HandshakeVersion.X3DH:
            kem_id, kem_ciphertext = reader.integer(4), reader.take(kem.CIPHERTEXT_LENGTH)
        reader.finish()
        return cls(version, identity, ephemeral, signed_id, one_time_id, kem_id, kem_ciphertext)
