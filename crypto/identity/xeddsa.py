"""XEdDSA (Signal's specification "The XEdDSA and VXEdDSA Signature Schemes", revision 1, §2-§4) on curve25519.

Signs with an X25519 key. A signature (64 bytes) is an Ed25519 signature (RFC 8032) under ``edwards_key``.
All arithmetic on secrets is libsodium's; Python integers touch public keys only.
"""

import hashlib

import nacl.bindings as sodium
import nacl.exceptions

SIGNATURE_LENGTH = 64
NONCE_LENGTH = 64  # Z of §4.3

_FIELD_PRIME = 2**255 - 19
_HASH_1 = b"\xfe" + b"\xff" * 31  # 2^256 - 2, little-endian: the domain of hash_1 (§2.5)


def edwards_key(public: bytes, sign: int = 0) -> bytes | None:
    """convert_mont (§2.3): the Edwards point (32 bytes) of the u-coordinate ``public``, x having ``sign``.

    None if ``public`` is not a canonical u-coordinate or has no image (u = -1). XEdDSA always uses sign 0.
    """
    u = int.from_bytes(public, "little")
    if len(public) != 32 or u >= _FIELD_PRIME or u == _FIELD_PRIME - 1:
        return None
    y = (u - 1) * pow(u + 1, -1, _FIELD_PRIME) % _FIELD_PRIME
    return (y | sign << 255).to_bytes(32, "little")


def _calculate_key_pair(private: bytes) -> tuple[bytes, bytes]:
    """calculate_key_pair (§2.3): the Edwards public key with sign 0 and its scalar, 32 bytes each."""
    clamped = bytes([private[0] & 248]) + private[1:31] + bytes([private[31] & 127 | 64])
    scalar = sodium.crypto_core_ed25519_scalar_reduce(clamped + bytes(32))
    point = sodium.crypto_scalarmult_ed25519_base_noclamp(scalar)
    negated = sodium.crypto_core_ed25519_scalar_negate(scalar)
    # Both are computed, then one is taken: the sign is no secret, it follows from the public key.
    sign = point[31] >> 7
    return point[:31] + bytes([point[31] & 127]), (scalar, negated)[sign]


def sign(private: bytes, message: bytes, nonce: bytes) -> bytes:
    """xeddsa_sign (§3): 64 bytes. ``private``: X25519 key, 32 bytes. ``nonce``: 64 fresh random bytes (Z)."""
    if len(nonce) != NONCE_LENGTH:
        raise ValueError("the nonce has 64 bytes")
    public, scalar = _calculate_key_pair(private)
    r = sodium.crypto_core_ed25519_scalar_reduce(
        hashlib.sha512(_HASH_1 + scalar + message + nonce).digest(),
    )
    commitment = sodium.crypto_scalarmult_ed25519_base_noclamp(r)
    h = sodium.crypto_core_ed25519_scalar_reduce(hashlib.sha512(commitment + public + message).digest())
    s = sodium.crypto_core_ed25519_scalar_add(r, sodium.crypto_core_ed25519_scalar_mul(h, scalar))
    return commitment + s


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """xeddsa_verify (§3): whether ``signature`` is one of ``message`` under the X25519 key ``public``.

    Stricter than the specification in one point: libsodium also refuses public keys of small order.
    """
    edwards = edwards_key(public)
    if edwards is None or len(signature) != SIGNATURE_LENGTH:
        return False
    try:
        sodium.crypto_sign_open(signature + message, edwards)
    except nacl.exceptions.BadSignatureError:
        return False
    return True
