"""The recovery key: 32 random bytes that open the archive, on paper as 14 groups of four letters and digits."""

import base64
import hashlib
import hmac

from crypto.errors import DecodeError
from crypto.randomness import Randomness

KEY_LENGTH = 32

_CHECK_LENGTH = 3
_LABEL = b"Entativa recovery key 1"


def _check(key: bytes) -> bytes:
    return hashlib.sha256(_LABEL + key).digest()[:_CHECK_LENGTH]


class RecoveryKey:
    """A secret. ``raw`` has 32 bytes."""

    __slots__ = ("raw",)

    def __init__(self, raw: bytes) -> None:
        if len(raw) != KEY_LENGTH:
            raise ValueError("a recovery key has 32 bytes")
        self.raw = raw

    def __repr__(self) -> str:
        return "RecoveryKey(...)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RecoveryKey) and hmac.compare_digest(self.raw, other.raw)

    def __hash__(self) -> int:
        return hash(_check(self.raw))

    @classmethod
    def generate(cls, randomness: Randomness) -> "RecoveryKey":
        """A new key with 256 bits of entropy."""
        return cls(randomness.random_bytes(KEY_LENGTH))

    def words(self) -> str:
        """The key for people to write down: base32 of key(32) | check(3), 14 groups of four."""
        text = base64.b32encode(self.raw + _check(self.raw)).decode()
        return " ".join(text[start : start + 4] for start in range(0, len(text), 4))

    @classmethod
    def from_words(cls, words: str) -> "RecoveryKey":
        """The inverse of ``words``, blind to case, spaces and dashes.

        Raises ``DecodeError`` for a typing error (missed once in 16 million).
        """
        text = "".join(words.upper().replace("-", "").split()).replace("0", "O").replace("1", "I")
        try:
            data = base64.b32decode(text)
        except ValueError:
            raise DecodeError("not a recovery key") from None
        key, check = data[:KEY_LENGTH], data[KEY_LENGTH:]
        if len(data) != KEY_LENGTH + _CHECK_LENGTH or not hmac.compare_digest(_check(key), check):
            raise DecodeError("the recovery key is mistyped")
        return cls(key)
