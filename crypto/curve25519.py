"""X25519 (RFC 7748 §5 and §6.1) on raw 32-byte keys, by libsodium.

Private keys are any 32 bytes (libsodium clamps), public keys and shared secrets are 32-byte u-coordinates.
"""

import nacl.bindings
import nacl.exceptions

from crypto.errors import CryptoError, DecodeError

KEY_LENGTH = 32
ENCODED_LENGTH = 33

_CURVE_TYPE = b"\x05"
_FIELD_PRIME = 2**255 - 19


class InvalidPublicKey(CryptoError):
    """A public key of the wrong length, or one of small order, which would make the shared secret known."""


def public_key(private: bytes) -> bytes:
    """The public key of ``private`` (32 bytes)."""
    return nacl.bindings.crypto_scalarmult_base(private)


def shared_secret(private: bytes, public: bytes) -> bytes:
    """X25519(``private``, ``public``), 32 bytes.

    Raises ``InvalidPublicKey`` where RFC 7748 §6.1 asks for the all-zero check to fail the exchange.
    """
    if len(public) != KEY_LENGTH:
        raise InvalidPublicKey("a Curve25519 public key has 32 bytes")
    try:
        return nacl.bindings.crypto_scalarmult(private, public)
    except nacl.exceptions.CryptoError:
        raise InvalidPublicKey("a Curve25519 public key of small order") from None


def is_canonical(public: bytes) -> bool:
    """Whether ``public`` is the one encoding of its u-coordinate.

    X25519 ignores the top bit and reduces the rest (RFC 7748 §5), so where a public key serves as a name, as in
    a memory of what was answered, other encodings would be aliases.
    """
    return int.from_bytes(public, "little") < _FIELD_PRIME


def encode_public(public: bytes) -> bytes:
    """EncodeEC (X3DH §2.1, PQXDH §2.5): one byte that names the curve (5), then the u-coordinate; 33 bytes."""
    return _CURVE_TYPE + public


def decode_public(encoded: bytes) -> bytes:
    """The inverse of ``encode_public``: 32 bytes. Raises ``DecodeError``."""
    if len(encoded) != ENCODED_LENGTH or encoded[:1] != _CURVE_TYPE:
        raise DecodeError("not an encoded Curve25519 public key")
    return encoded[1:]
