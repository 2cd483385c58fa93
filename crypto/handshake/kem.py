"""ML-KEM-768 (FIPS 203) as the KEM of the hybrid handshake.

Lengths in bytes: seed 64, public key 1,184, ciphertext 1,088, shared secret 32.
"""

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey

from crypto.errors import DecodeError

SEED_LENGTH = 64
PUBLIC_LENGTH = 1_184
CIPHERTEXT_LENGTH = 1_088

_TYPE = b"\x0b"


def public_key(seed: bytes) -> bytes:
    """The encapsulation key of a key pair (FIPS 203 §6.1, d || z = ``seed``)."""
    return MLKEM768PrivateKey.from_seed_bytes(seed).public_key().public_bytes_raw()


def check_public(public: bytes) -> None:
    """The encapsulation key check (§7.2). Raises ``DecodeError``."""
    try:
        MLKEM768PublicKey.from_public_bytes(public)
    except ValueError:
        raise DecodeError("not an ML-KEM-768 public key") from None


def encapsulate(public: bytes) -> tuple[bytes, bytes]:
    """ML-KEM.Encaps (§7.2): (shared secret, ciphertext). Raises ``DecodeError`` for an invalid key.

    The one place in this package whose randomness is not injected: OpenSSL draws it and offers no way around.
    """
    try:
        return MLKEM768PublicKey.from_public_bytes(public).encapsulate()
    except ValueError:
        raise DecodeError("not an ML-KEM-768 public key") from None


def decapsulate(seed: bytes, ciphertext: bytes) -> bytes:
    """ML-KEM.Decaps (§7.3). A forged ciphertext gives a secret that nobody knows (implicit rejection).

    Raises ``DecodeError`` unless ``ciphertext`` has 1,088 bytes.
    """
    if len(ciphertext) != CIPHERTEXT_LENGTH:
        raise DecodeError("not an ML-KEM-768 ciphertext")
    return MLKEM768PrivateKey.from_seed_bytes(seed).decapsulate(ciphertext)


def encode_public(public: bytes) -> bytes:
    """EncodeKEM (PQXDH §2.5): one byte that names the KEM, then the key; 1,185 bytes."""
    return _TYPE + public
