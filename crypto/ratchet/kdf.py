"""The key derivations of the Double Ratchet specification, revision 1: §2.2, §3.1, §4.2 and §5.2.

Every key is 32 bytes. HMAC and HKDF use SHA-256, as §5.2 recommends.
"""

import hmac

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_LENGTH = 32

_MESSAGE_KEY_CONSTANT = b"\x01"
_CHAIN_KEY_CONSTANT = b"\x02"
_SHA256 = hashes.SHA256()


def chain_step(chain_key: bytes) -> tuple[bytes, bytes]:
    """KDF_CK (§3.1): the next chain key and the message key, (32, 32) bytes."""
    return (
        hmac.digest(chain_key, _CHAIN_KEY_CONSTANT, "sha256"),
        hmac.digest(chain_key, _MESSAGE_KEY_CONSTANT, "sha256"),
    )


def root_step(root_key: bytes, shared: bytes, info: bytes) -> tuple[bytes, bytes, bytes]:
    """KDF_RK_HE (§4.2): the next root key, a chain key and the next header key, 32 bytes each.

    HKDF's output is a stream, so the first two equal KDF_RK (§3.1), which has no header key.
    """
    output = HKDF(_SHA256, 3 * KEY_LENGTH, root_key, info).derive(shared)
    return output[:32], output[32:64], output[64:]


def initial_keys(shared_secret: bytes, info: bytes) -> tuple[bytes, bytes, bytes]:
    """What §4.4 calls SK, shared_hka and shared_nhkb, 32 bytes each, from the handshake's one secret."""
    output = HKDF(_SHA256, 3 * KEY_LENGTH, None, info).derive(shared_secret)
    return output[:32], output[32:64], output[64:]
