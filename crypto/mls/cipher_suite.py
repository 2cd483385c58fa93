"""Cipher suites (RFC 9420 section 17.1) and the labelled functions built on them (sections 5.1, 5.2, 8 and 9.1)."""

import hashlib
import hmac
from collections.abc import Callable
from enum import IntEnum
from functools import cache, lru_cache
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from crypto.mls import kem, signatures
from crypto.mls.codec import opaque, u16, u32
from crypto.mls.errors import DecryptionFailed, InvalidInput, InvalidMessage, UnsupportedCipherSuite
from crypto.mls.hpke import (
    AES_128_GCM,
    AES_256_GCM,
    CHACHA20_POLY1305,
    NONCE_SIZE,
    Aead,
    Ciphertext,
    Hpke,
)
from crypto.mls.signatures import SignatureScheme, SigningKey
from crypto.mls.xwing import XWING
from crypto.randomness import Randomness


class CipherSuite(IntEnum):
    """The seven suites of RFC 9420, and a hybrid one that a policy has to allow.

    The last is that of draft-ietf-mls-pq-ciphersuites-06 with X-Wing as its KEM, under a number for private use as the
    draft has none yet: its groups do not outlive the draft.
    """

    MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519 = 0x0001
    MLS_128_DHKEMP256_AES128GCM_SHA256_P256 = 0x0002
    MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519 = 0x0003
    MLS_256_DHKEMX448_AES256GCM_SHA512_Ed448 = 0x0004
    MLS_256_DHKEMP521_AES256GCM_SHA512_P521 = 0x0005
    MLS_256_DHKEMX448_CHACHA20POLY1305_SHA512_Ed448 = 0x0006
    MLS_256_DHKEMP384_AES256GCM_SHA384_P384 = 0x0007
    MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519 = 0xF002


RFC_SUITES = frozenset(suite for suite in CipherSuite if suite < 0xF000)
"""The suites of RFC 9420: what a client offers and accepts unless it is told otherwise."""


DEFAULT_SUITE = CipherSuite.MLS_128_DHKEMP256_AES128GCM_SHA256_P256
"""What a client uses that has no reason to choose: the 128 bits of RFC 9420's mandatory suites, with P-256, whose
keys phones can keep in their secure hardware, and AES-GCM, which processors compute in constant time. Stronger suites
cost several times as much in large groups, see docs/decisions/crypto-mls-suites.md."""


def cipher_suite(value: int) -> CipherSuite:
    """The suite with this number, or UnsupportedCipherSuite."""
    try:
        return CipherSuite(value)
    except ValueError:
        raise UnsupportedCipherSuite(f"cipher suite {value} is not supported") from None


@lru_cache(maxsize=1024)
def _label(label: str) -> bytes:
    return opaque(b"MLS 1.0 " + label.encode())


class SuiteCrypto:
    """The functions of one cipher suite.

    ``hash_size`` is KDF.Nh, ``key_size`` AEAD.Nk and ``nonce_size`` AEAD.Nn, all in bytes. Inputs and outputs are
    ``bytes``; see the section named at each method.
    """

    nonce_size = NONCE_SIZE

    def __init__(
        self,
        suite: CipherSuite,
        suite_kem: kem.Kem,
        kdf_id: int,
        algorithm: hashes.HashAlgorithm,
        hash_function: Callable[[bytes], Any],
        aead: Aead,
        signature: SignatureScheme,
    ) -> None:
        self.suite = suite
        self.kem = suite_kem
        self.hpke = Hpke(suite_kem, kdf_id, algorithm, aead)
        self.aead = aead
        self.signature = signature
        self.hash_size = algorithm.digest_size
        self.key_size = aead.key_size
        self.zero = bytes(self.hash_size)
        self._algorithm = algorithm
        self._hash = hash_function

    def __repr__(self) -> str:
        return f"SuiteCrypto({self.suite.name})"

    def hash(self, data: bytes) -> bytes:
        digest: bytes = self._hash(data).digest()
        return digest

    def mac(self, key: bytes, data: bytes) -> bytes:
        """HMAC with the suite's hash."""
        return hmac.digest(key, data, self._algorithm.name)

    def check_mac(self, key: bytes, data: bytes, tag: bytes) -> None:
        """Raise InvalidMessage unless ``tag`` is the MAC of ``data``; constant time."""
        if not hmac.compare_digest(self.mac(key, data), tag):
            raise InvalidMessage("authentication tag does not verify")

    def extract(self, salt: bytes, ikm: bytes) -> bytes:
        """KDF.Extract."""
        return HKDF.extract(self._algorithm, salt, ikm)

    def expand_with_label(self, secret: bytes, label: str, context: bytes, length: int) -> bytes:
        """ExpandWithLabel (section 8); ``length`` in bytes, at most 255 hashes."""
        if length > 255 * self.hash_size:
            raise InvalidInput("more output asked for than HKDF can give")
        info = b"".join((u16(length), _label(label), opaque(context)))
        return HKDFExpand(self._algorithm, length, info).derive(secret)

    def derive_secret(self, secret: bytes, label: str) -> bytes:
        """DeriveSecret (section 8)."""
        return self.expand_with_label(secret, label, b"", self.hash_size)

    def derive_tree_secret(self, secret: bytes, label: str, generation: int, length: int) -> bytes:
        """DeriveTreeSecret (section 9.1)."""
        return self.expand_with_label(secret, label, u32(generation), length)

    def ref_hash(self, label: str, value: bytes) -> bytes:
        """RefHash (section 5.2). The label is taken as it is, without the "MLS 1.0" prefix of the others."""
        return self.hash(opaque(label.encode()) + opaque(value))

    def sign_with_label(self, key: SigningKey, label: str, content: bytes) -> bytes:
        """SignWithLabel (section 5.1.2)."""
        return key.sign(_label(label) + opaque(content))

    def verify_with_label(self, public_key: bytes, label: str, content: bytes, signature: bytes) -> None:
        """VerifyWithLabel (section 5.1.2); raises InvalidSignature."""
        self.signature.verify(public_key, _label(label) + opaque(content), signature)

    def encryption_context(self, label: str, context: bytes) -> bytes:
        """What :meth:`seal` and :meth:`open` take as context; shared by all recipients of the same ``context``."""
        return self.hpke.context(_label(label) + opaque(context))

    def seal(self, public_key: bytes, context: bytes, plaintext: bytes, randomness: Randomness) -> Ciphertext:
        """EncryptWithLabel (section 5.1.3), with ``context`` from :meth:`encryption_context`."""
        return self.hpke.seal(public_key, context, plaintext, randomness)

    def open(self, private_key: bytes, context: bytes, sealed: Ciphertext) -> bytes:
        """DecryptWithLabel (section 5.1.3), or DecryptionFailed."""
        if len(sealed.ciphertext) < 16:
            raise DecryptionFailed("ciphertext does not authenticate")
        return self.hpke.open(private_key, context, sealed)


@cache
def suite_crypto(suite: CipherSuite) -> SuiteCrypto:
    """The functions of ``suite``."""
    sha256 = (0x0001, hashes.SHA256(), hashlib.sha256)
    sha384 = (0x0002, hashes.SHA384(), hashlib.sha384)
    sha512 = (0x0003, hashes.SHA512(), hashlib.sha512)
    match suite:
        case CipherSuite.MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519:
            return SuiteCrypto(suite, kem.X25519, *sha256, AES_128_GCM, signatures.ED25519)
        case CipherSuite.MLS_128_DHKEMP256_AES128GCM_SHA256_P256:
            return SuiteCrypto(suite, kem.P256, *sha256, AES_128_GCM, signatures.ECDSA_P256)
        case CipherSuite.MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519:
            return SuiteCrypto(suite, kem.X25519, *sha256, CHACHA20_POLY1305, signatures.ED25519)
        case CipherSuite.MLS_256_DHKEMX448_AES256GCM_SHA512_Ed448:
            return SuiteCrypto(suite, kem.X448, *sha512, AES_256_GCM, signatures.ED448)
        case CipherSuite.MLS_256_DHKEMP521_AES256GCM_SHA512_P521:
            return SuiteCrypto(suite, kem.P521, *sha512, AES_256_GCM, signatures.ECDSA_P521)
        case CipherSuite.MLS_256_DHKEMX448_CHACHA20POLY1305_SHA512_Ed448:
            return SuiteCrypto(suite, kem.X448, *sha512, CHACHA20_POLY1305, signatures.ED448)
        case CipherSuite.MLS_256_DHKEMP384_AES256GCM_SHA384_P384:
            return SuiteCrypto(suite, kem.P384, *sha384, AES_256_GCM, signatures.ECDSA_P384)
        case CipherSuite.MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519:
            return SuiteCrypto(suite, XWING, *sha384, AES_256_GCM, signatures.ED25519)
