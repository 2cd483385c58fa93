"""DHKEM (RFC 9180 section 4.1) over X25519, X448, P-256, P-384 and P-521.

``cryptography`` offers HPKE as a single shot without the exporter that external commits need, and without X448;
so the protocol above the Diffie-Hellman functions is here, and everything below it is libsodium or OpenSSL.
Private keys, public keys and KEM outputs are the byte strings of RFC 9180 section 7.1.
"""

from abc import ABC, abstractmethod

import nacl.bindings
import nacl.exceptions
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, x448
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from crypto.mls.errors import DecryptionFailed, InvalidInput
from crypto.randomness import Randomness


def labeled_extract(algorithm: hashes.HashAlgorithm, suite_id: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
    """``LabeledExtract`` of RFC 9180 section 4."""
    return HKDF.extract(algorithm, salt, b"".join((b"HPKE-v1", suite_id, label, ikm)))


def labeled_expand(
    algorithm: hashes.HashAlgorithm, suite_id: bytes, prk: bytes, label: bytes, info: bytes, length: int
) -> bytes:
    """``LabeledExpand`` of RFC 9180 section 4; ``length`` in bytes."""
    full = b"".join((length.to_bytes(2, "big"), b"HPKE-v1", suite_id, label, info))
    return HKDFExpand(algorithm, length, full).derive(prk)


class Kem(ABC):
    """A key encapsulation mechanism of HPKE.

    ``secret_size`` (Nsecret), ``private_size`` (Nsk) and ``public_size`` (Npk) are in bytes.
    """

    def __init__(self, kem_id: int, secret_size: int, private_size: int, public_size: int) -> None:
        self.kem_id = kem_id
        self.secret_size = secret_size
        self.private_size = private_size
        self.public_size = public_size

    @abstractmethod
    def derive_key_pair(self, ikm: bytes) -> tuple[bytes, bytes]:
        """``DeriveKeyPair``: (private key, public key) determined by ``ikm``."""

    @abstractmethod
    def public_key(self, private_key: bytes) -> bytes:
        """The public key that belongs to ``private_key``."""

    @abstractmethod
    def check_public_key(self, public_key: bytes) -> None:
        """Raise InvalidInput for a public key to which nothing can be encapsulated."""

    def generate_key_pair(self, randomness: Randomness) -> tuple[bytes, bytes]:
        """A fresh (private key, public key)."""
        return self.derive_key_pair(randomness.random_bytes(self.private_size))

    @abstractmethod
    def encapsulate(self, public_key: bytes, randomness: Randomness) -> tuple[bytes, bytes]:
        """``Encap``: (shared secret, KEM output). Raises InvalidInput for a public key that is not valid."""

    @abstractmethod
    def decapsulate(self, output: bytes, private_key: bytes, public_key: bytes | None = None) -> bytes:
        """``Decap``: the shared secret. Raises DecryptionFailed for an output that is not valid."""


class Dhkem(Kem):
    """A Diffie-Hellman key encapsulation mechanism. Its outputs have the size of public keys."""

    def __init__(
        self,
        kem_id: int,
        algorithm: hashes.HashAlgorithm,
        secret_size: int,
        private_size: int,
        public_size: int,
    ) -> None:
        super().__init__(kem_id, secret_size, private_size, public_size)
        self._algorithm = algorithm
        self._suite_id = b"KEM" + kem_id.to_bytes(2, "big")

    @abstractmethod
    def _exchange(self, private_key: bytes, public_key: bytes) -> bytes:
        """The Diffie-Hellman result; ``ValueError`` if a key is not valid or the result is the identity."""

    def encapsulate(self, public_key: bytes, randomness: Randomness) -> tuple[bytes, bytes]:
        ephemeral, output = self.generate_key_pair(randomness)
        try:
            shared = self._exchange(ephemeral, public_key)
        except ValueError:
            raise InvalidInput("invalid HPKE public key") from None
        return self._extract_and_expand(shared, output + public_key), output

    def decapsulate(self, output: bytes, private_key: bytes, public_key: bytes | None = None) -> bytes:
        try:
            shared = self._exchange(private_key, output)
        except ValueError:
            raise DecryptionFailed("invalid KEM output") from None
        return self._extract_and_expand(shared, output + (public_key or self.public_key(private_key)))

    def _extract_and_expand(self, shared: bytes, context: bytes) -> bytes:
        prk = labeled_extract(self._algorithm, self._suite_id, b"", b"eae_prk", shared)
        return labeled_expand(self._algorithm, self._suite_id, prk, b"shared_secret", context, self.secret_size)

    def _derive(self, ikm: bytes) -> bytes:
        return labeled_extract(self._algorithm, self._suite_id, b"", b"dkp_prk", ikm)

    def _candidate(self, prk: bytes, label: bytes, info: bytes) -> bytes:
        return labeled_expand(self._algorithm, self._suite_id, prk, label, info, self.private_size)


# The coordinates of all points of small order, with which every exchange ends in zero: 0, 1 and -1, also as p and
# p + 1, and for X25519 the two of order 8. Little-endian.
_P25519 = 2**255 - 19
_SMALL_ORDER_X25519 = frozenset(
    u.to_bytes(32, "little")
    for u in (
        0,
        1,
        _P25519 - 1,
        _P25519,
        _P25519 + 1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
    )
)
_P448 = 2**448 - 2**224 - 1
_SMALL_ORDER_X448 = frozenset(u.to_bytes(56, "little") for u in (0, 1, _P448 - 1, _P448, _P448 + 1))


class DhkemX25519(Dhkem):
    """DHKEM(X25519, HKDF-SHA256), KEM 0x0020, on libsodium."""

    def __init__(self) -> None:
        super().__init__(0x0020, hashes.SHA256(), secret_size=32, private_size=32, public_size=32)

    def derive_key_pair(self, ikm: bytes) -> tuple[bytes, bytes]:
        private_key = self._candidate(self._derive(ikm), b"sk", b"")
        return private_key, self.public_key(private_key)

    def public_key(self, private_key: bytes) -> bytes:
        if len(private_key) != 32:
            raise InvalidInput("invalid HPKE private key")
        return nacl.bindings.crypto_scalarmult_base(private_key)

    def check_public_key(self, public_key: bytes) -> None:
        # X25519 ignores the highest bit (RFC 7748 section 5).
        if len(public_key) != 32 or public_key[:31] + bytes((public_key[31] & 0x7F,)) in _SMALL_ORDER_X25519:
            raise InvalidInput("invalid HPKE public key")

    def _exchange(self, private_key: bytes, public_key: bytes) -> bytes:
        if len(public_key) != 32 or len(private_key) != 32:  # PyNaCl checks neither and would read beyond the end
            raise ValueError("wrong length")
        try:
            return nacl.bindings.crypto_scalarmult(private_key, public_key)
        except nacl.exceptions.RuntimeError as error:  # libsodium refuses an all-zero result
            raise ValueError("point of small order") from error


class DhkemX448(Dhkem):
    """DHKEM(X448, HKDF-SHA512), KEM 0x0021, on OpenSSL."""

    def __init__(self) -> None:
        super().__init__(0x0021, hashes.SHA512(), secret_size=64, private_size=56, public_size=56)

    def derive_key_pair(self, ikm: bytes) -> tuple[bytes, bytes]:
        private_key = self._candidate(self._derive(ikm), b"sk", b"")
        return private_key, self.public_key(private_key)

    def public_key(self, private_key: bytes) -> bytes:
        try:
            return x448.X448PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw()
        except ValueError:
            raise InvalidInput("invalid HPKE private key") from None

    def check_public_key(self, public_key: bytes) -> None:
        if len(public_key) != 56 or public_key in _SMALL_ORDER_X448:
            raise InvalidInput("invalid HPKE public key")

    def _exchange(self, private_key: bytes, public_key: bytes) -> bytes:
        peer = x448.X448PublicKey.from_public_bytes(public_key)
        return x448.X448PrivateKey.from_private_bytes(private_key).exchange(peer)


class DhkemNist(Dhkem):
    """DHKEM over a NIST curve, on OpenSSL. Public keys are uncompressed points, private keys big-endian scalars."""

    def __init__(
        self,
        kem_id: int,
        algorithm: hashes.HashAlgorithm,
        curve: ec.EllipticCurve,
        order: int,
        secret_size: int,
        private_size: int,
    ) -> None:
        super().__init__(kem_id, algorithm, secret_size, private_size, public_size=1 + 2 * private_size)
        self._curve = curve
        self._order = order
        self._bitmask = 0x01 if curve.key_size == 521 else 0xFF

    def derive_key_pair(self, ikm: bytes) -> tuple[bytes, bytes]:
        prk = self._derive(ikm)
        for counter in range(256):
            candidate = self._candidate(prk, b"candidate", counter.to_bytes(1, "big"))
            candidate = bytes((candidate[0] & self._bitmask,)) + candidate[1:]
            if 0 < int.from_bytes(candidate, "big") < self._order:
                return candidate, self.public_key(candidate)
        raise InvalidInput("no valid private key in 256 candidates")  # RFC 9180: probability below 2^-256

    def public_key(self, private_key: bytes) -> bytes:
        key = self._load(private_key).public_key()
        return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def _load(self, private_key: bytes) -> ec.EllipticCurvePrivateKey:
        try:
            if len(private_key) > self.private_size:
                raise ValueError("too long")
            return ec.derive_private_key(int.from_bytes(private_key, "big"), self._curve)
        except ValueError:
            raise InvalidInput("invalid HPKE private key") from None

    def check_public_key(self, public_key: bytes) -> None:
        try:
            self._point(public_key)
        except ValueError:
            raise InvalidInput("invalid HPKE public key") from None

    def _exchange(self, private_key: bytes, public_key: bytes) -> bytes:
        return self._load(private_key).exchange(ec.ECDH(), self._point(public_key))

    def _point(self, public_key: bytes) -> ec.EllipticCurvePublicKey:
        if len(public_key) != self.public_size or public_key[0] != 0x04:
            raise ValueError("not an uncompressed point")
        return ec.EllipticCurvePublicKey.from_encoded_point(self._curve, public_key)


X25519 = DhkemX25519()
X448 = DhkemX448()
# Group orders: SEC 2 version 2.0, sections 2.4.2, 2.5.1 and 2.6.1.
P256 = DhkemNist(
    0x0010,
    hashes.SHA256(),
    ec.SECP256R1(),
    0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    secret_size=32,
    private_size=32,
)
P384 = DhkemNist(
    0x0011,
    hashes.SHA384(),
    ec.SECP384R1(),
    int("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973", 16),
    secret_size=48,
    private_size=48,
)
P521 = DhkemNist(
    0x0012,
    hashes.SHA512(),
    ec.SECP521R1(),
    int(
        "01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
        "FA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409",
        16,
    ),
    secret_size=64,
    private_size=66,
)
