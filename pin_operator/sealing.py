"""States at rest: AES-256-GCM under a key derived from the operator's secret, bound to the account.

nonce(12) | ciphertext and tag. Whoever can write the database can put back an older state, which the anchor notices,
and make none.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from crypto.randomness import Randomness

_INFO = b"entativa pin operator states v1"
_NONCE_LENGTH = 12


class StateRejected(Exception):
    """The state was altered, is another account's, or was sealed under another secret."""


class StateSealer:
    """Seals and opens the states of one operator."""

    def __init__(self, secret: bytes, randomness: Randomness) -> None:
        self._cipher = AESGCM(HKDF(hashes.SHA256(), 32, None, _INFO).derive(secret))
        self._randomness = randomness

    def seal(self, account: str, state: bytes) -> bytes:
        """What may be stored of an account's state."""
        nonce = self._randomness.random_bytes(_NONCE_LENGTH)
        return nonce + self._cipher.encrypt(nonce, state, account.encode())

    def open(self, account: str, sealed: bytes) -> bytes:
        """The inverse. Raises StateRejected."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_LENGTH], sealed[_NONCE_LENGTH:], account.encode())
        except (InvalidTag, ValueError):
            raise StateRejected from None
