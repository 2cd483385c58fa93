"""An OPRF key in shares: any ``threshold`` of the operators evaluate together, fewer learn nothing of the key.

Shamir's sharing over the scalars of ristretto255, recombined in the exponent (Jarecki, Kiayias, Krawczyk, Xu:
"TOPPSS: Cost-Minimal Password-Protected Secret Sharing based on Threshold OPRF", ACNS 2017, §3). The dealer is the
client at its enrolment: it knows the PIN anyway, and forgets the key. With a threshold of 1 each share is the key.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce

import nacl.bindings as sodium

from crypto import wire
from crypto.backup import oprf, ristretto255
from crypto.errors import DecodeError
from crypto.randomness import Randomness

MAX_OPERATORS = 5


@dataclass(frozen=True, slots=True)
class Shape:
    """How many operators there are, and how many of them one guess takes: 1 <= threshold <= operators <= 5."""

    threshold: int
    operators: int

    def __post_init__(self) -> None:
        if not 1 <= self.threshold <= self.operators <= MAX_OPERATORS:
            raise DecodeError("not a shape of operators")

    def encode(self) -> bytes:
        """threshold(1) | operators(1)."""
        return wire.u8(self.threshold) + wire.u8(self.operators)

    @classmethod
    def read(cls, reader: wire.Reader) -> "Shape":
        """Raises ``DecodeError``."""
        return cls(reader.integer(1), reader.integer(1))


TWO_OPERATORS = Shape(2, 2)
ONE_OPERATOR = Shape(1, 1)


@dataclass(frozen=True, slots=True)
class Share:
    """What one operator holds of the key. ``index``: 1..5, where the polynomial is evaluated. ``scalar``: 32 bytes."""

    index: int
    scalar: bytes = field(repr=False)

    def __post_init__(self) -> None:
        wire.require_length("a share", self.scalar, oprf.SCALAR_LENGTH)
        if not 1 <= self.index <= MAX_OPERATORS or not oprf.is_key(self.scalar):
            raise DecodeError("not a share of a key")

    def encode(self) -> bytes:
        """index(1) | scalar(32)."""
        return wire.u8(self.index) + self.scalar

    @classmethod
    def read(cls, reader: wire.Reader) -> "Share":
        """Raises ``DecodeError``."""
        return cls(reader.integer(1), reader.take(oprf.SCALAR_LENGTH))


def _scalar(number: int) -> bytes:
    return number.to_bytes(oprf.SCALAR_LENGTH, "little")


def _evaluate(coefficients: list[bytes], at: int) -> bytes:
    """The polynomial at ``at``, by Horner's rule."""
    total = bytes(oprf.SCALAR_LENGTH)
    for coefficient in reversed(coefficients):
        total = sodium.crypto_core_ed25519_scalar_add(
            sodium.crypto_core_ed25519_scalar_mul(total, _scalar(at)), coefficient
        )
    return total


def split(key: bytes, shape: Shape, randomness: Randomness) -> tuple[Share, ...]:
    """Deal ``key`` (32 bytes) to the operators 1..n. All ``threshold`` coefficients but the key are random."""
    while True:
        coefficients = [key, *(oprf.random_scalar(randomness) for _ in range(shape.threshold - 1))]
        values = {index: _evaluate(coefficients, index) for index in range(1, shape.operators + 1)}
        if all(map(oprf.is_key, values.values())):  # a share of 0 could not evaluate: one in 2^252
            return tuple(Share(index, scalar) for index, scalar in values.items())


def _lagrange(index: int, others: list[int]) -> bytes:
    """The weight of ``index`` at 0: the product of j / (j - index) over all other indexes j."""
    weight = _scalar(1)
    for other in others:
        distance = _scalar(abs(other - index))
        if other < index:
            distance = sodium.crypto_core_ed25519_scalar_negate(distance)
        inverse = sodium.crypto_core_ed25519_scalar_invert(distance)
        weight = sodium.crypto_core_ed25519_scalar_mul(weight, _scalar(other))
        weight = sodium.crypto_core_ed25519_scalar_mul(weight, inverse)
    return weight


def combine(evaluations: Mapping[int, bytes]) -> bytes:
    """The evaluation under the whole key, of exactly ``threshold`` evaluations (32 bytes) by operator index.

    Raises ``DecodeError`` for a bad element.
    """
    terms = (
        ristretto255.multiply(_lagrange(index, [other for other in evaluations if other != index]), element)
        for index, element in evaluations.items()
    )
    return reduce(ristretto255.add, terms)
