"""The group ristretto255 (RFC 9496 §4) on top of libsodium's edwards25519.

PyNaCl does not export libsodium's own ristretto255, but the Edwards group below it. What is written here is
only the encoding: which Edwards point stands for which 32 bytes (Decode, Encode, MAP). Group operations are
libsodium's. The encoding computes with Python integers, so its time depends on the element; elements here are
blinded or public, except for the hashed input on the client, who is alone with it (see docs/security/crypto.md).

libsodium multiplies only points of prime order, while a ristretto255 element is a coset of four points; each
element is therefore represented by the one point of its coset that has prime order.
"""

import nacl.bindings as sodium
import nacl.exceptions

from crypto.errors import DecodeError

ELEMENT_LENGTH = 32
UNIFORM_LENGTH = 64

_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P
_SQRT_M1 = pow(2, (_P - 1) // 4, _P)


def _absolute(value: int) -> int:
    """CT_ABS (§3.1): of a value and its negative the one that is even."""
    return -value % _P if value & 1 else value


def _sqrt_ratio(u: int, v: int) -> tuple[bool, int]:
    """SQRT_RATIO_M1 (§4.2): whether u/v is a square, and the even root of u/v or of sqrt(-1) * u/v."""
    root = u * pow(v, 3, _P) * pow(u * pow(v, 7, _P), (_P - 5) // 8, _P) % _P
    check = v * root * root % _P
    flipped = check == -u % _P
    if flipped or check == -u * _SQRT_M1 % _P:
        root = root * _SQRT_M1 % _P
    return flipped or check == u % _P, _absolute(root)


_ONE_MINUS_D_SQ = (1 - _D * _D) % _P
_D_MINUS_ONE_SQ = (_D - 1) ** 2 % _P
# The RFC fixes the odd root of ad - 1 (a = -1) and the even root of 1/(a - d).
_SQRT_AD_MINUS_ONE = -_sqrt_ratio(-_D - 1, 1)[1] % _P
_INVSQRT_A_MINUS_D = _sqrt_ratio(1, -1 - _D)[1]

# The points (0, 1), (0, -1), (sqrt(-1), 0) and (-sqrt(-1), 0), which one coset adds to an element.
_TORSION = (
    (1).to_bytes(32, "little"),
    (_P - 1).to_bytes(32, "little"),
    bytes(32),
    (1 << 255).to_bytes(32, "little"),
)


def _prime_order_point(x: int, y: int) -> bytes | None:
    """The point of prime order in the coset of (x, y), as 32 bytes; None for the identity element."""
    point = (y | (x & 1) << 255).to_bytes(32, "little")
    for torsion in _TORSION:
        candidate = sodium.crypto_core_ed25519_add(point, torsion)
        if sodium.crypto_core_ed25519_is_valid_point(candidate):
            return candidate
    return None


def _decode(element: bytes) -> bytes:
    """Decode (§4.3.1). Raises ``DecodeError``, also for the identity (RFC 9497 §2.1)."""
    s = int.from_bytes(element, "little")
    if len(element) != ELEMENT_LENGTH or s >= _P or s & 1:
        raise DecodeError("not a ristretto255 element")
    ss = s * s % _P
    u1, u2 = (1 - ss) % _P, (1 + ss) % _P
    v = (-_D * u1 * u1 - u2 * u2) % _P
    was_square, inverse_root = _sqrt_ratio(1, v * u2 * u2 % _P)
    denominator_x = inverse_root * u2 % _P
    x = _absolute(2 * s * denominator_x % _P)
    y = u1 * inverse_root * denominator_x * v % _P
    if not was_square or x * y % _P & 1 or y == 0:
        raise DecodeError("not a ristretto255 element")
    point = _prime_order_point(x, y)
    if point is None:
        raise DecodeError("the identity is not allowed")
    return point


def _encode(point: bytes) -> bytes:
    """Encode (§4.3.2) of an Edwards point (32 bytes), with z = 1."""
    compressed = int.from_bytes(point, "little")
    y = compressed & ((1 << 255) - 1)
    _, x = _sqrt_ratio((y * y - 1) % _P, (_D * y * y + 1) % _P)
    if x & 1 != compressed >> 255:
        x = -x % _P
    u1, u2 = (1 + y) * (1 - y) % _P, x * y % _P
    _, inverse_root = _sqrt_ratio(1, u1 * u2 * u2 % _P)
    denominator_1, denominator_2 = inverse_root * u1 % _P, inverse_root * u2 % _P
    z_inverse = denominator_1 * denominator_2 * u2 % _P
    denominator = denominator_2
    if u2 * z_inverse % _P & 1:
        x, y = y * _SQRT_M1 % _P, x * _SQRT_M1 % _P
        denominator = denominator_1 * _INVSQRT_A_MINUS_D % _P
    if x * z_inverse % _P & 1:
        y = -y % _P
    return _absolute(denominator * (1 - y) % _P).to_bytes(32, "little")


def _map(field_element: int) -> bytes:
    """MAP (§4.3.4): an Edwards point, 32 bytes."""
    r = _SQRT_M1 * field_element * field_element % _P
    u = (r + 1) * _ONE_MINUS_D_SQ % _P
    v = (-1 - r * _D) * (r + _D) % _P
    was_square, s = _sqrt_ratio(u, v)
    c = -1
    if not was_square:
        s = -_absolute(s * field_element % _P) % _P
        c = r
    n = (c * (r - 1) * _D_MINUS_ONE_SQ - v) % _P
    w0, w1 = 2 * s * v % _P, n * _SQRT_AD_MINUS_ONE % _P
    w2, w3 = (1 - s * s) % _P, (1 + s * s) % _P
    z_inverse = pow(w1 * w3, _P - 2, _P)
    x, y = w0 * w3 * z_inverse % _P, w2 * w1 * z_inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def from_uniform(data: bytes) -> bytes:
    """The element (32 bytes) of 64 uniform bytes (§4.3.4)."""
    if len(data) != UNIFORM_LENGTH:
        raise ValueError("needs 64 bytes")
    mask = (1 << 255) - 1
    halves = (int.from_bytes(half, "little") & mask for half in (data[:32], data[32:]))
    return _encode(sodium.crypto_core_ed25519_add(*(_map(half % _P) for half in halves)))


def multiply(scalar: bytes, element: bytes) -> bytes:
    """``scalar`` (32 bytes, little-endian, reduced, not 0) times ``element``.

    Raises ``DecodeError`` for anything that is not an element, or is the identity.
    """
    try:
        return _encode(sodium.crypto_scalarmult_ed25519_noclamp(scalar, _decode(element)))
    except nacl.exceptions.RuntimeError:
        raise DecodeError("the product is the identity") from None
