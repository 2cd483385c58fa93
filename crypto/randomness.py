"""The one source of randomness: everything in ``crypto`` that needs random bytes takes a provider.

Passing the provider in keeps the package free of hidden inputs, so test vectors and failures can be replayed.
"""

import hashlib
import os
from typing import Protocol


class Randomness(Protocol):
    """Source of uniformly random bytes."""

    def random_bytes(self, length: int) -> bytes:
        """Return exactly ``length`` (>= 0) fresh, uniformly random bytes."""
        ...


class SystemRandomness:
    """The operating system's cryptographic generator. The provider to use outside of tests."""

    __slots__ = ()

    def random_bytes(self, length: int) -> bytes:
        return os.urandom(length)


class SeededRandomness:
    """Reproducible bytes from a seed (SHAKE-256 in counter mode), to replay vectors and failures.

    Its output is as secret as its seed, and the same seed repeats every key: never use it for real messages.
    """

    __slots__ = ("_counter", "_seed")

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._counter = 0

    def __repr__(self) -> str:
        return "SeededRandomness(...)"

    def random_bytes(self, length: int) -> bytes:
        block = hashlib.shake_256(
            len(self._seed).to_bytes(8, "big") + self._seed + self._counter.to_bytes(8, "big")
        ).digest(length)
        self._counter += 1
        return block
