"""The checksum of a request body (the tus extension `checksum`)."""

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any

ALGORITHMS = ("sha256", "sha1")
"""As tus names them, the preferred one first. Every server must have sha1."""


@dataclass(slots=True)
class Checksum:
    """What a client announced, and what has arrived so far."""

    algorithm: str
    expected: bytes
    _hash: Any = field(init=False)

    def __post_init__(self) -> None:
        # It detects errors of transmission: SHA-1 is good enough for that.
        self._hash = hashlib.new(self.algorithm, usedforsecurity=False)

    def update(self, data: bytes) -> None:
        self._hash.update(data)

    def matches(self) -> bool:
        return hmac.compare_digest(self._hash.digest(), self.expected)
