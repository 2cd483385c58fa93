"""ECVRF-EDWARDS25519-SHA512-TAI (RFC 9381 §5, suite 0x03) on libsodium's edwards25519.

The directory computes where in its map an account stands, and proves it; nobody else can compute it, so proofs about
one account tell nothing about which others exist. Keys and points have 32 bytes, proofs 80, outputs 64.
"""

import hashlib
import hmac

import nacl.bindings as sodium
import nacl.exceptions

from crypto import wire
from crypto.transparency.errors import ProofInvalid

SEED_LENGTH = 32
PUBLIC_LENGTH = 32
PROOF_LENGTH = 80
OUTPUT_LENGTH = 64

_SUITE = b"\x03"
_ENCODE, _CHALLENGE, _OUTPUT, _BACK = b"\x01", b"\x02", b"\x03", b"\x00"  # domain separators of §5.4
_CHALLENGE_LENGTH = 16
_FIELD_PRIME = 2**255 - 19
_IDENTITY = (1).to_bytes(32, "little")


def _reduced(scalar: bytes) -> bytes:
    return sodium.crypto_core_ed25519_scalar_reduce(scalar.ljust(64, b"\x00"))


def _times_cofactor(point: bytes) -> bytes:
    for _ in range(3):
        point = sodium.crypto_core_ed25519_add(point, point)
    return point


def _point_of_hash(hashed: bytes) -> bytes | None:
    """interpret_hash_value_as_a_point (§5.5) times the cofactor, or None if it is not a point."""
    if int.from_bytes(hashed, "little") & (1 << 255) - 1 >= _FIELD_PRIME:
        return None
    try:
        point = _times_cofactor(hashed)
    except nacl.exceptions.RuntimeError:
        return None
    return None if point == _IDENTITY else point


def _encode_to_curve(public: bytes, alpha: bytes) -> bytes:
    """ECVRF_encode_to_curve_try_and_increment (§5.4.1.1), salted with the public key."""
    for counter in range(256):
        message = _SUITE + _ENCODE + public + alpha + wire.u8(counter) + _BACK
        point = _point_of_hash(hashlib.sha512(message).digest()[:32])
        if point is not None:
            return point
    raise ProofInvalid("no point for this input")  # one in 2^256


def _challenge(*points: bytes) -> bytes:
    """ECVRF_challenge_generation (§5.4.3), 16 bytes."""
    return hashlib.sha512(_SUITE + _CHALLENGE + b"".join(points) + _BACK).digest()[:_CHALLENGE_LENGTH]


def _secret(seed: bytes) -> tuple[bytes, bytes, bytes]:
    """The secret scalar (reduced), the prefix of nonces and the public key (RFC 8032 §5.1.5), 32 bytes each."""
    wire.require_length("a VRF key", seed, SEED_LENGTH)
    hashed = hashlib.sha512(seed).digest()
    scalar = _reduced(bytes([hashed[0] & 248]) + hashed[1:31] + bytes([hashed[31] & 127 | 64]))
    return scalar, hashed[32:], sodium.crypto_scalarmult_ed25519_base_noclamp(scalar)


def public_key(seed: bytes) -> bytes:
    """The public key of a secret ``seed`` (32 bytes)."""
    return _secret(seed)[2]


def prove(seed: bytes, alpha: bytes) -> bytes:
    """ECVRF_prove (§5.1): Gamma(32) | c(16) | s(32) for the input ``alpha``."""
    scalar, prefix, public = _secret(seed)
    point = _encode_to_curve(public, alpha)
    gamma = sodium.crypto_scalarmult_ed25519_noclamp(scalar, point)
    nonce = sodium.crypto_core_ed25519_scalar_reduce(hashlib.sha512(prefix + point).digest())
    c = _challenge(
        public,
        point,
        gamma,
        sodium.crypto_scalarmult_ed25519_base_noclamp(nonce),
        sodium.crypto_scalarmult_ed25519_noclamp(nonce, point),
    )
    s = sodium.crypto_core_ed25519_scalar_add(nonce, sodium.crypto_core_ed25519_scalar_mul(_reduced(c), scalar))
    return gamma + c + s


def output(proof: bytes) -> bytes:
    """ECVRF_proof_to_hash (§5.2), 64 bytes, of a proof that was verified or made here."""
    return hashlib.sha512(_SUITE + _OUTPUT + _times_cofactor(proof[:32]) + _BACK).digest()


def verify(public: bytes, alpha: bytes, proof: bytes) -> bytes:
    """ECVRF_verify (§5.3): the output for ``alpha``. Raises ``ProofInvalid``.

    Stricter than the RFC in one point: key and Gamma must be of prime order, as all that are made honestly are.
    """
    if len(public) != PUBLIC_LENGTH or len(proof) != PROOF_LENGTH:
        raise ProofInvalid("a VRF key has 32 bytes, a proof 80")
    gamma, c, s = proof[:32], proof[32:48], proof[48:]
    # libsodium's multiplication refuses such points, too, today.
    if not (sodium.crypto_core_ed25519_is_valid_point(public) and sodium.crypto_core_ed25519_is_valid_point(gamma)):
        raise ProofInvalid("not a point of the group")
    if _reduced(s) != s:
        raise ProofInvalid("the scalar is not reduced")
    point, challenge = _encode_to_curve(public, alpha), _reduced(c)
    try:
        u = sodium.crypto_core_ed25519_sub(
            sodium.crypto_scalarmult_ed25519_base_noclamp(s),
            sodium.crypto_scalarmult_ed25519_noclamp(challenge, public),
        )
        v = sodium.crypto_core_ed25519_sub(
            sodium.crypto_scalarmult_ed25519_noclamp(s, point),
            sodium.crypto_scalarmult_ed25519_noclamp(challenge, gamma),
        )
    except nacl.exceptions.RuntimeError:  # libsodium refuses a product that is the identity
        raise ProofInvalid("the VRF proof does not verify") from None
    if not hmac.compare_digest(_challenge(public, point, gamma, u, v), c):
        raise ProofInvalid("the VRF proof does not verify")
    return output(proof)
