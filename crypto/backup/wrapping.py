"""Secrets encrypted under a key that comes from a passphrase or a PIN.

commitment(32) | nonce(12) | AES-256-GCM of the secret(n + 16). The commitment ties the ciphertext to one
key: AES-GCM alone would let a malicious store craft a blob that opens under many passphrases and learn from the
client's answer which of them it has (Len, Grubbs, Ristenpart: "Partitioning Oracle Attacks", 2021).
"""

import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from crypto.backup.errors import WrongSecret
from crypto.backup.recovery_key import KEY_LENGTH
from crypto.randomness import Randomness

_COMMITMENT_LENGTH = 32
_NONCE_LENGTH = 12
OVERHEAD = _COMMITMENT_LENGTH + _NONCE_LENGTH + 16
WRAPPED_LENGTH = OVERHEAD + KEY_LENGTH  # of a recovery key alone
_INFO = b"Entativa backup 1 wrapping"


def _keys(stretched: bytes, header: bytes) -> tuple[bytes, bytes]:
    output = HKDF(hashes.SHA256(), 64, None, _INFO + header).derive(stretched)
    return output[:32], output[32:]


def wrap(stretched: bytes, header: bytes, secret: bytes, randomness: Randomness) -> bytes:
    """``secret`` and 60 bytes.

    ``stretched``: from a slow KDF, at least 32 bytes. ``header``: authenticated, not included.
    """
    key, commitment = _keys(stretched, header)
    nonce = randomness.random_bytes(_NONCE_LENGTH)
    return commitment + nonce + AESGCM(key).encrypt(nonce, secret, header)


def unwrap(stretched: bytes, header: bytes, wrapped: bytes) -> bytes:
    """The inverse of ``wrap``; raises ``WrongSecret`` (an altered blob looks the same)."""
    key, commitment = _keys(stretched, header)
    claimed, nonce, sealed = wrapped[:32], wrapped[32:44], wrapped[44:]
    if len(wrapped) < OVERHEAD or not hmac.compare_digest(commitment, claimed):
        raise WrongSecret("the secret does not open this blob")
    try:
        return AESGCM(key).decrypt(nonce, sealed, header)
    except InvalidTag:
        raise WrongSecret("the secret does not open this blob") from None
