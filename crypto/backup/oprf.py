"""The OPRF of RFC 9497, mode OPRF (0x00), suite ristretto255-SHA512 (§3.3.1, §4.1).

The client learns a pseudorandom function of its input under the server's key; the server learns nothing about
the input. Scalars and elements have 32 bytes, the output 64.
"""

import hashlib
from dataclasses import dataclass, field

import nacl.bindings as sodium

from crypto.backup import ristretto255
from crypto.errors import CryptoError
from crypto.randomness import Randomness

SCALAR_LENGTH = 32
OUTPUT_LENGTH = 64

_CONTEXT = b"OPRFV1-\x00-ristretto255-SHA512"  # §3.1 CreateContextString
_UNIFORM_LENGTH = 64
_HASH_BLOCK = 128
_MAX_INPUT = (1 << 16) - 1


class InvalidInput(CryptoError):
    """The input hashes to the identity, which nobody can find, or is longer than 65,535 bytes."""


def _expand_message(message: bytes, domain: bytes) -> bytes:
    """expand_message_xmd (RFC 9380 §5.3.1) with SHA-512, 64 bytes: a single block of output."""
    tag = domain + len(domain).to_bytes(1, "big")
    first = hashlib.sha512(bytes(_HASH_BLOCK) + message + _UNIFORM_LENGTH.to_bytes(2, "big") + b"\x00" + tag).digest()
    return hashlib.sha512(first + b"\x01" + tag).digest()


def _hash_to_group(message: bytes) -> bytes:
    return ristretto255.from_uniform(_expand_message(message, b"HashToGroup-" + _CONTEXT))


def _hash_to_scalar(message: bytes, domain: bytes) -> bytes:
    return sodium.crypto_core_ed25519_scalar_reduce(_expand_message(message, domain))


def _length_prefixed(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def random_scalar(randomness: Randomness) -> bytes:
    """A uniform scalar other than 0 (§2.1 RandomScalar, by reducing 64 bytes): a server key or a blind."""
    while True:
        scalar = sodium.crypto_core_ed25519_scalar_reduce(randomness.random_bytes(_UNIFORM_LENGTH))
        if scalar != bytes(SCALAR_LENGTH):
            return scalar


def is_key(scalar: bytes) -> bool:
    """Whether 32 bytes are a reduced scalar other than 0."""
    reduced = sodium.crypto_core_ed25519_scalar_reduce(scalar + bytes(_UNIFORM_LENGTH - SCALAR_LENGTH))
    return reduced == scalar and scalar != bytes(SCALAR_LENGTH)


def derive_key(seed: bytes, info: bytes) -> bytes:
    """DeriveKeyPair (§3.2.1): the server key of a 32-byte ``seed``."""
    for counter in range(256):
        message = seed + _length_prefixed(info) + counter.to_bytes(1, "big")
        scalar = _hash_to_scalar(message, b"DeriveKeyPair" + _CONTEXT)
        if scalar != bytes(SCALAR_LENGTH):
            return scalar
    raise InvalidInput("no key can be derived from this seed")


@dataclass(frozen=True, slots=True)
class Blinded:
    """The client's side of one evaluation. ``element`` goes to the server, the rest stays."""

    element: bytes
    data: bytes = field(repr=False)
    blind: bytes = field(repr=False)

    def finalize(self, evaluated: bytes) -> bytes:
        """Finalize (§3.3.1): the output, 64 bytes. Raises ``DecodeError`` for a bad element."""
        inverse = sodium.crypto_core_ed25519_scalar_invert(self.blind)
        return _finish(self.data, ristretto255.multiply(inverse, evaluated))


def _finish(data: bytes, element: bytes) -> bytes:
    return hashlib.sha512(_length_prefixed(data) + _length_prefixed(element) + b"Finalize").digest()


def blind(data: bytes, randomness: Randomness) -> Blinded:
    """Blind (§3.3.1) the client's input. Raises ``InvalidInput``."""
    if len(data) > _MAX_INPUT:
        raise InvalidInput("the input is too long")
    scalar = random_scalar(randomness)
    return Blinded(ristretto255.multiply(scalar, _hash_to_group(data)), data, scalar)


def evaluate(key: bytes, element: bytes) -> bytes:
    """BlindEvaluate (§3.3.1) with the server's ``key``. Raises ``DecodeError`` for a bad element."""
    return ristretto255.multiply(key, element)


def output(key: bytes, data: bytes) -> bytes:
    """Evaluate (§3.3.1): the output (64 bytes) for whoever knows both key and input. Raises ``InvalidInput``."""
    if len(data) > _MAX_INPUT:
        raise InvalidInput("the input is too long")
    return _finish(data, ristretto255.multiply(key, _hash_to_group(data)))
