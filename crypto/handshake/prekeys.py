"""Public prekeys and the bundle an initiator fetches (X3DH §3.1 and §3.2, PQXDH §3.1 and §3.2).

Identifiers are 4-byte numbers that the owner never uses twice.
"""

from dataclasses import dataclass, replace

from crypto import curve25519, wire
from crypto.handshake import kem
from crypto.handshake.errors import InvalidBundle
from crypto.identity import IdentityKey, InvalidSignature
from crypto.identity.xeddsa import SIGNATURE_LENGTH

_VERSION = 1
_MAX_ONE_TIME = 10_000


@dataclass(frozen=True, slots=True)
class SignedPreKey:
    """A medium-term X25519 key (32 bytes), signed by the identity over EncodeEC(key)."""

    id: int
    public: bytes
    signature: bytes

    def __post_init__(self) -> None:
        wire.require_length("a signed prekey", self.public, curve25519.KEY_LENGTH)
        wire.require_length("a signature", self.signature, SIGNATURE_LENGTH)

    def encode(self) -> bytes:
        return wire.u32(self.id) + self.public + self.signature

    @classmethod
    def read(cls, reader: wire.Reader) -> "SignedPreKey":
        return cls(reader.integer(4), reader.take(curve25519.KEY_LENGTH), reader.take(SIGNATURE_LENGTH))


@dataclass(frozen=True, slots=True)
class OneTimePreKey:
    """An X25519 key (32 bytes) that the server hands out once."""

    id: int
    public: bytes

    def __post_init__(self) -> None:
        wire.require_length("a one-time prekey", self.public, curve25519.KEY_LENGTH)

    def encode(self) -> bytes:
        return wire.u32(self.id) + self.public

    @classmethod
    def read(cls, reader: wire.Reader) -> "OneTimePreKey":
        return cls(reader.integer(4), reader.take(curve25519.KEY_LENGTH))


@dataclass(frozen=True, slots=True)
class KemPreKey:
    """An ML-KEM-768 key (1,184 bytes), signed over EncodeKEM(key).

    ``last_resort`` marks the one that is handed out again and again when the one-time keys have run out.
    """

    id: int
    public: bytes
    signature: bytes
    last_resort: bool

    def __post_init__(self) -> None:
        wire.require_length("a KEM prekey", self.public, kem.PUBLIC_LENGTH)
        wire.require_length("a signature", self.signature, SIGNATURE_LENGTH)

    def encode(self) -> bytes:
        return wire.u32(self.id) + wire.u8(self.last_resort) + self.public + self.signature

    @classmethod
    def read(cls, reader: wire.Reader) -> "KemPreKey":
        number, last_resort = reader.integer(4), reader.flag()
        return cls(number, reader.take(kem.PUBLIC_LENGTH), reader.take(SIGNATURE_LENGTH), last_resort)


@dataclass(frozen=True, slots=True)
class PreKeyBundle:
    """What an initiator needs to write to a device that is offline. ``kem`` is None only for X3DH."""

    identity: IdentityKey
    signed: SignedPreKey
    one_time: OneTimePreKey | None
    kem: KemPreKey | None

    def encode(self) -> bytes:
        """version(1) | identity(33) | signed prekey | flag [one-time] | flag [KEM]."""
        return b"".join(
            (
                wire.u8(_VERSION),
                self.identity.encode(),
                self.signed.encode(),
                b"\x00" if self.one_time is None else b"\x01" + self.one_time.encode(),
                b"\x00" if self.kem is None else b"\x01" + self.kem.encode(),
            )
        )

    @classmethod
    def decode(cls, data: bytes) -> "PreKeyBundle":
        """The inverse of ``encode``; raises ``DecodeError``. Says nothing about the signatures."""
        reader = wire.Reader(data, "prekey bundle")
        reader.format_version(_VERSION)
        identity = IdentityKey.decode(reader.take(curve25519.ENCODED_LENGTH))
        signed = SignedPreKey.read(reader)
        one_time = OneTimePreKey.read(reader) if reader.flag() else None
        kem_prekey = KemPreKey.read(reader) if reader.flag() else None
        reader.finish()
        return cls(identity, signed, one_time, kem_prekey)

    def verify(self) -> None:
        """Check the identity's signatures; raises ``InvalidBundle``."""
        try:
            self.identity.verify(curve25519.encode_public(self.signed.public), self.signed.signature)
            if self.kem is not None:
                self.identity.verify(kem.encode_public(self.kem.public), self.kem.signature)
        except InvalidSignature:
            raise InvalidBundle("a prekey is not signed by the bundle's identity") from None


@dataclass(frozen=True, slots=True)
class PublishedPreKeys:
    """All that a device uploads. The server keeps it and hands out bundles."""

    identity: IdentityKey
    signed: SignedPreKey
    last_resort: KemPreKey
    one_time: tuple[OneTimePreKey, ...] = ()
    one_time_kem: tuple[KemPreKey, ...] = ()

    def take_bundle(self) -> tuple[PreKeyBundle, "PublishedPreKeys"]:
        """A bundle and what is left: store the rest before answering, so no one-time key is given twice."""
        bundle = PreKeyBundle(
            self.identity,
            self.signed,
            self.one_time[0] if self.one_time else None,
            self.one_time_kem[0] if self.one_time_kem else self.last_resort,
        )
        return bundle, replace(self, one_time=self.one_time[1:], one_time_kem=self.one_time_kem[1:])

    def verify(self) -> None:
        """What a server checks before it accepts an upload; raises ``InvalidBundle``."""
        if not self.last_resort.last_resort or any(key.last_resort for key in self.one_time_kem):
            raise InvalidBundle("the last-resort mark is on the wrong key")
        for kem_prekey in (self.last_resort, *self.one_time_kem):
            PreKeyBundle(self.identity, self.signed, None, kem_prekey).verify()

    def encode(self) -> bytes:
        """version(1) | identity(33) | signed | last resort | count, one-time ... | count, one-time KEM ..."""
        parts = [wire.u8(_VERSION), self.identity.encode(), self.signed.encode(), self.last_resort.encode()]
        parts += [wire.u32(len(self.one_time)), *(key.encode() for key in self.one_time)]
        parts += [wire.u32(len(self.one_time_kem)), *(key.encode() for key in self.one_time_kem)]
        return b"".join(parts)

    @classmethod
    def decode(cls, data: bytes) -> "PublishedPreKeys":
        """The inverse of ``encode``; raises ``DecodeError``."""
        reader = wire.Reader(data, "published prekeys")
        reader.format_version(_VERSION)
        identity = IdentityKey.decode(reader.take(curve25519.ENCODED_LENGTH))
        signed = SignedPreKey.read(reader)
        last_resort = KemPreKey.read(reader)
        one_time = tuple(OneTimePreKey.read(reader) for _ in range(reader.count(_MAX_ONE_TIME)))
        one_time_kem = tuple(KemPreKey.read(reader) for _ in range(reader.count(_MAX_ONE_TIME)))
        reader.finish()
        return cls(identity, signed, last_resort, one_time, one_time_kem)
