"""Signature schemes of the MLS cipher suites (RFC 9420 sections 5.1.1 and 5.1.2).

Public keys: RFC 8032 encoding for EdDSA, uncompressed points for ECDSA. Signatures: R || S for EdDSA, DER for ECDSA.
ECDSA signs deterministically (RFC 6979), so no hidden randomness enters.
"""

from abc import ABC, abstractmethod

import nacl.bindings
import nacl.exceptions
from cryptography.exceptions import InvalidSignature as OpenSslInvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from crypto.errors import DecodeError
from crypto.mls import kem
from crypto.mls.errors import InvalidInput, InvalidSignature
from crypto.randomness import Randomness


class SigningKey(ABC):
    """A private signature key, ready to use."""

    public_key: bytes
    private_key: bytes

    def __repr__(self) -> str:
        return f"{type(self).__name__}(public_key={self.public_key.hex()})"

    @abstractmethod
    def sign(self, message: bytes) -> bytes:
        """The signature over ``message``."""


class SignatureScheme(ABC):
    """A signature algorithm."""

    @abstractmethod
    def generate(self, randomness: Randomness) -> SigningKey:
        """A fresh key."""

    @abstractmethod
    def load(self, private_key: bytes) -> SigningKey:
        """The key with this private half, or InvalidInput."""

    @abstractmethod
    def verify(self, public_key: bytes, message: bytes, signature: bytes) -> None:
        """Raise InvalidSignature unless ``signature`` is valid (also for a public key that is not)."""


class _Ed25519Key(SigningKey):
    def __init__(self, seed: bytes) -> None:
        if len(seed) != 32:
            raise InvalidInput("an Ed25519 private key has 32 bytes")
        self.private_key = seed
        self.public_key, self._expanded = nacl.bindings.crypto_sign_seed_keypair(seed)

    def sign(self, message: bytes) -> bytes:
        return nacl.bindings.crypto_sign(message, self._expanded)[:64]


class Ed25519(SignatureScheme):
    """Ed25519 on libsodium, which verifies twice as fast as OpenSSL and refuses keys of small order."""

    def generate(self, randomness: Randomness) -> SigningKey:
        return _Ed25519Key(randomness.random_bytes(32))

    def load(self, private_key: bytes) -> SigningKey:
        return _Ed25519Key(private_key)

    def verify(self, public_key: bytes, message: bytes, signature: bytes) -> None:
        if len(signature) != 64 or len(public_key) != 32:
            raise InvalidSignature("signature does not verify")
        try:
            nacl.bindings.crypto_sign_open(signature + message, public_key)
        except nacl.exceptions.BadSignatureError:
            raise InvalidSignature("signature does not verify") from None


class _Ed448Key(SigningKey):
    def __init__(self, seed: bytes) -> None:
        try:
            self._key = ed448.Ed448PrivateKey.from_private_bytes(seed)
        except ValueError:
            raise InvalidInput("an Ed448 private key has 57 bytes") from None
        self.private_key = seed
        self.public_key = self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


class Ed448(SignatureScheme):
    """Ed448 on OpenSSL."""

    def generate(self, randomness: Randomness) -> SigningKey:
        return _Ed448Key(randomness.random_bytes(57))

    def load(self, private_key: bytes) -> SigningKey:
        return _Ed448Key(private_key)

    def verify(self, public_key: bytes, message: bytes, signature: bytes) -> None:
        try:
            ed448.Ed448PublicKey.from_public_bytes(public_key).verify(signature, message)
        except (ValueError, OpenSslInvalidSignature):
            raise InvalidSignature("signature does not verify") from None


class _EcdsaKey(SigningKey):
    def __init__(self, private_key: bytes, curve: ec.EllipticCurve, algorithm: hashes.HashAlgorithm) -> None:
        try:
            size = (curve.key_size + 7) // 8
            if len(private_key) > size:
                raise ValueError("too long")
            self._key = ec.derive_private_key(int.from_bytes(private_key, "big"), curve)
        except ValueError:
            raise InvalidInput("not a private key of this curve") from None
        self.private_key = private_key.rjust(size, b"\0")
        self.public_key = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self._algorithm = ec.ECDSA(algorithm, deterministic_signing=True)

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message, self._algorithm)


class Ecdsa(SignatureScheme):
    """ECDSA over a NIST curve, on OpenSSL."""

    def __init__(self, curve: ec.EllipticCurve, algorithm: hashes.HashAlgorithm, generator: kem.DhkemNist) -> None:
        self._curve = curve
        self._algorithm = algorithm
        self._verification = ec.ECDSA(algorithm)
        self._generator = generator

    def generate(self, randomness: Randomness) -> SigningKey:
        # DeriveKeyPair of RFC 9180 turns uniform bytes into a uniform scalar by rejection sampling.
        private_key, _ = self._generator.generate_key_pair(randomness)
        return self.load(private_key)

    def load(self, private_key: bytes) -> SigningKey:
        return _EcdsaKey(private_key, self._curve, self._algorithm)

    def verify(self, public_key: bytes, message: bytes, signature: bytes) -> None:
        try:
            if public_key[:1] != b"\x04":
                raise ValueError("not an uncompressed point")
            key = ec.EllipticCurvePublicKey.from_encoded_point(self._curve, public_key)
            key.verify(signature, message, self._verification)
        except (ValueError, OpenSslInvalidSignature):
            raise InvalidSignature("signature does not verify") from None


ED25519 = Ed25519()
ED448 = Ed448()
ECDSA_P256 = Ecdsa(ec.SECP256R1(), hashes.SHA256(), kem.P256)
ECDSA_P384 = Ecdsa(ec.SECP384R1(), hashes.SHA384(), kem.P384)
ECDSA_P521 = Ecdsa(ec.SECP521R1(), hashes.SHA512(), kem.P521)


def stored_key(scheme: SignatureScheme, private_key: bytes) -> SigningKey:
    """A private key read from stored state; DecodeError if it is damaged."""
    try:
        return scheme.load(private_key)
    except InvalidInput:
        raise DecodeError("the stored state contains an invalid key") from None
