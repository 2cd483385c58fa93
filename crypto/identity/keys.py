"""Identity keys (X3DH §2.4): one long-term curve25519 key per device, for X25519 and for XEdDSA signatures."""

import hmac
from dataclasses import dataclass

from crypto import curve25519, wire
from crypto.errors import CryptoError, DecodeError
from crypto.identity import xeddsa
from crypto.randomness import Randomness

STATE_VERSION = 1


class InvalidSignature(CryptoError):
    """A signature does not belong to this message and identity."""


@dataclass(frozen=True, slots=True)
class IdentityKey:
    """A public identity: ``public`` is the X25519 u-coordinate, 32 bytes."""

    public: bytes

    def __post_init__(self) -> None:
        wire.require_length("an identity key", self.public, curve25519.KEY_LENGTH)

    def encode(self) -> bytes:
        """EncodeEC: 33 bytes."""
        return curve25519.encode_public(self.public)

    @classmethod
    def decode(cls, encoded: bytes) -> "IdentityKey":
        """The inverse of ``encode``. Raises ``DecodeError``, also for a key that cannot verify signatures."""
        public = curve25519.decode_public(encoded)
        if xeddsa.edwards_key(public) is None:
            raise DecodeError("not a usable identity key")
        return cls(public)

    @property
    def ed25519(self) -> bytes:
        """The same identity as an Ed25519 public key (32 bytes), under which its signatures verify."""
        edwards = xeddsa.edwards_key(self.public)
        if edwards is None:
            raise DecodeError("not a usable identity key")
        return edwards

    def verify(self, message: bytes, signature: bytes) -> None:
        """Raise ``InvalidSignature`` unless ``signature`` (64 bytes) is this identity's of ``message``."""
        if not xeddsa.verify(self.public, message, signature):
            raise InvalidSignature("the signature does not verify")


class IdentityKeyPair:
    """The private identity of a device."""

    __slots__ = ("_private", "public")

    def __init__(self, private: bytes) -> None:
        """``private``: 32 bytes."""
        if len(private) != curve25519.KEY_LENGTH:
            raise ValueError("an identity key has 32 bytes")
        self._private = private
        self.public = IdentityKey(curve25519.public_key(private))

    def __repr__(self) -> str:
        return f"IdentityKeyPair({self.public!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IdentityKeyPair) and hmac.compare_digest(self._private, other._private)

    def __hash__(self) -> int:
        return hash(self.public)

    @classmethod
    def generate(cls, randomness: Randomness) -> "IdentityKeyPair":
        """A new identity."""
        return cls(randomness.random_bytes(curve25519.KEY_LENGTH))

    def sign(self, message: bytes, randomness: Randomness) -> bytes:
        """XEdDSA signature of ``message``, 64 bytes."""
        return xeddsa.sign(self._private, message, randomness.random_bytes(xeddsa.NONCE_LENGTH))

    def agree(self, public: bytes) -> bytes:
        """X25519 with another party's ``public`` key: 32 bytes. Raises ``InvalidPublicKey``."""
        return curve25519.shared_secret(self._private, public)

    def serialize(self) -> bytes:
        """version(1) | private key(32). Secret: encrypt it at rest."""
        return wire.u8(STATE_VERSION) + self._private

    @classmethod
    def restore(cls, state: bytes) -> "IdentityKeyPair":
        """The inverse of ``serialize``; raises ``DecodeError`` or ``UnsupportedStateVersion``."""
        reader = wire.Reader(state, "identity key pair")
        reader.state_version(STATE_VERSION)
        private = reader.take(curve25519.KEY_LENGTH)
        reader.finish()
        return cls(private)
