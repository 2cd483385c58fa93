"""HPKE in base mode (RFC 9180 section 5.1.1): single-shot seal and open, and the exporter."""

from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from crypto.mls.errors import DecryptionFailed
from crypto.mls.kem import Kem, labeled_expand, labeled_extract
from crypto.randomness import Randomness

NONCE_SIZE = 12
"""Nn of all three AEADs, in bytes."""


@dataclass(frozen=True, slots=True)
class Aead:
    """An AEAD of RFC 9180 section 7.3: its registered id, key size in bytes, and OpenSSL's implementation."""

    aead_id: int
    key_size: int
    implementation: type[AESGCM] | type[ChaCha20Poly1305]

    def seal(self, key: bytes, nonce: bytes, aad: bytes, plaintext: bytes) -> bytes:
        """Ciphertext with its 16-byte tag."""
        return self.implementation(key).encrypt(nonce, plaintext, aad)

    def open(self, key: bytes, nonce: bytes, aad: bytes, ciphertext: bytes) -> bytes:
        """The plaintext, or DecryptionFailed."""
        try:
            return self.implementation(key).decrypt(nonce, ciphertext, aad)
        except InvalidTag:
            raise DecryptionFailed("ciphertext does not authenticate") from None


AES_128_GCM = Aead(0x0001, 16, AESGCM)
AES_256_GCM = Aead(0x0002, 32, AESGCM)
CHACHA20_POLY1305 = Aead(0x0003, 32, ChaCha20Poly1305)


@dataclass(frozen=True, slots=True, repr=False)
class Ciphertext:
    """A KEM output and what was sealed under it."""

    kem_output: bytes
    ciphertext: bytes


class Hpke:
    """One combination of KEM, KDF and AEAD, always in base mode without a PSK."""

    def __init__(self, kem: Kem, kdf_id: int, algorithm: hashes.HashAlgorithm, aead: Aead) -> None:
        self.kem = kem
        self.aead = aead
        self._algorithm = algorithm
        self._suite_id = b"HPKE" + b"".join(n.to_bytes(2, "big") for n in (kem.kem_id, kdf_id, aead.aead_id))
        self._psk_id_hash = labeled_extract(algorithm, self._suite_id, b"", b"psk_id_hash", b"")

    def context(self, info: bytes) -> bytes:
        """``key_schedule_context`` for ``info``.

        Computed apart from the recipients, so that sealing to a thousand of them hashes a long ``info`` once.
        """
        info_hash = labeled_extract(self._algorithm, self._suite_id, b"", b"info_hash", info)
        return b"\x00" + self._psk_id_hash + info_hash

    def seal(self, public_key: bytes, context: bytes, plaintext: bytes, randomness: Randomness) -> Ciphertext:
        """``SealBase`` with empty AAD. Raises InvalidInput for a public key that is not valid."""
        shared, output = self.kem.encapsulate(public_key, randomness)
        key, nonce = self._key_and_nonce(shared, context)
        return Ciphertext(output, self.aead.seal(key, nonce, b"", plaintext))

    def open(self, private_key: bytes, context: bytes, sealed: Ciphertext) -> bytes:
        """``OpenBase`` with empty AAD, or DecryptionFailed."""
        shared = self.kem.decapsulate(sealed.kem_output, private_key)
        key, nonce = self._key_and_nonce(shared, context)
        return self.aead.open(key, nonce, b"", sealed.ciphertext)

    def send_export(
        self, public_key: bytes, exporter_context: bytes, length: int, randomness: Randomness
    ) -> tuple[bytes, bytes]:
        """``SendExportBase`` with empty info: (KEM output, exported secret of ``length`` bytes)."""
        shared, output = self.kem.encapsulate(public_key, randomness)
        return output, self._export(shared, exporter_context, length)

    def receive_export(self, kem_output: bytes, private_key: bytes, exporter_context: bytes, length: int) -> bytes:
        """``ReceiveExportBase`` with empty info."""
        return self._export(self.kem.decapsulate(kem_output, private_key), exporter_context, length)

    def _key_and_nonce(self, shared: bytes, context: bytes) -> tuple[bytes, bytes]:
        secret = labeled_extract(self._algorithm, self._suite_id, shared, b"secret", b"")
        return (
            self._expand(secret, b"key", context, self.aead.key_size),
            self._expand(secret, b"base_nonce", context, NONCE_SIZE),
        )

    def _export(self, shared: bytes, exporter_context: bytes, length: int) -> bytes:
        secret = labeled_extract(self._algorithm, self._suite_id, shared, b"secret", b"")
        exporter = self._expand(secret, b"exp", self.context(b""), self._algorithm.digest_size)
        return self._expand(exporter, b"sec", exporter_context, length)

    def _expand(self, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
        return labeled_expand(self._algorithm, self._suite_id, prk, label, info, length)
