"""X-Wing, the hybrid of X25519 and ML-KEM-768 (draft-connolly-cfrg-xwing-kem-10), as a KEM of HPKE, 0x647a.

It stays secure if either of the two does. Both are OpenSSL's and libsodium's; what is here is the combination. Lengths
in bytes: private key 32, public key 1,216 (ML-KEM's 1,184, then X25519's 32), output 1,120, shared secret 32.
"""

import hashlib

import nacl.bindings
import nacl.exceptions
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey

from crypto.mls.errors import DecryptionFailed, InvalidInput
from crypto.mls.kem import X25519, Kem
from crypto.randomness import Randomness

_KEY_SIZE = 32  # of X25519, and of X-Wing's private key
_ML_KEM_PUBLIC_SIZE = 1_184
_ML_KEM_OUTPUT_SIZE = 1_088
_LABEL = rb"\./" + rb"/^" + b"\\"


class XWing(Kem):
    """The KEM. Decapsulating a forged output gives a secret that nobody knows, as ML-KEM does."""

    def __init__(self) -> None:
        super().__init__(0x647A, secret_size=32, private_size=_KEY_SIZE, public_size=_ML_KEM_PUBLIC_SIZE + _KEY_SIZE)

    def derive_key_pair(self, ikm: bytes) -> tuple[bytes, bytes]:
        private_key = hashlib.shake_256(ikm).digest(_KEY_SIZE)
        return private_key, self.public_key(private_key)

    def public_key(self, private_key: bytes) -> bytes:
        ml_kem, x25519 = _expand(private_key)
        return ml_kem.public_key().public_bytes_raw() + X25519.public_key(x25519)

    def check_public_key(self, public_key: bytes) -> None:
        _ml_kem_key(public_key)
        X25519.check_public_key(public_key[_ML_KEM_PUBLIC_SIZE:])

    def encapsulate(self, public_key: bytes, randomness: Randomness) -> tuple[bytes, bytes]:
        """``Encap``. ML-KEM's half of the randomness is drawn by OpenSSL, which offers no way around."""
        ml_kem_secret, ml_kem_output = _ml_kem_key(public_key).encapsulate()
        ephemeral, theirs = randomness.random_bytes(_KEY_SIZE), public_key[_ML_KEM_PUBLIC_SIZE:]
        output = X25519.public_key(ephemeral)
        try:
            shared = nacl.bindings.crypto_scalarmult(ephemeral, theirs)
        except nacl.exceptions.RuntimeError:
            raise InvalidInput("invalid HPKE public key") from None
        return _combine(ml_kem_secret, shared, output, theirs), ml_kem_output + output

    def decapsulate(self, output: bytes, private_key: bytes, public_key: bytes | None = None) -> bytes:
        if len(output) != _ML_KEM_OUTPUT_SIZE + _KEY_SIZE:
            raise DecryptionFailed("invalid KEM output")
        ml_kem, x25519 = _expand(private_key)
        theirs = output[_ML_KEM_OUTPUT_SIZE:]
        try:
            shared = nacl.bindings.crypto_scalarmult(x25519, theirs)
        except nacl.exceptions.RuntimeError:
            raise DecryptionFailed("invalid KEM output") from None
        secret = ml_kem.decapsulate(output[:_ML_KEM_OUTPUT_SIZE])
        return _combine(secret, shared, theirs, X25519.public_key(x25519))


def _expand(private_key: bytes) -> tuple[MLKEM768PrivateKey, bytes]:
    """expandDecapsulationKey (section 5.2): both private keys."""
    if len(private_key) != _KEY_SIZE:
        raise InvalidInput("invalid HPKE private key")
    expanded = hashlib.shake_256(private_key).digest(96)
    return MLKEM768PrivateKey.from_seed_bytes(expanded[:64]), expanded[64:]


def _ml_kem_key(public_key: bytes) -> MLKEM768PublicKey:
    if len(public_key) != _ML_KEM_PUBLIC_SIZE + _KEY_SIZE:
        raise InvalidInput("invalid HPKE public key")
    try:
        return MLKEM768PublicKey.from_public_bytes(public_key[:_ML_KEM_PUBLIC_SIZE])
    except ValueError:
        raise InvalidInput("invalid HPKE public key") from None


def _combine(ml_kem_secret: bytes, x25519_secret: bytes, output: bytes, public_key: bytes) -> bytes:
    """Combiner (section 5.3); ``output`` and ``public_key`` are X25519's."""
    return hashlib.sha3_256(b"".join((ml_kem_secret, x25519_secret, output, public_key, _LABEL))).digest()


XWING = XWing()
