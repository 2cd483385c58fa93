"""The Diffie-Hellman part of X3DH (specification revision 1, §2.2 and §3.3), which PQXDH (§3.3) shares.

Keys are raw X25519 keys of 32 bytes. Both functions for the two sides give DH1 || DH2 || DH3 [|| DH4].
"""

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from crypto import curve25519
from crypto.identity import IdentityKey, IdentityKeyPair

_F = b"\xff" * 32  # §2.2: separates this KDF from XEdDSA's use of the same key


def initiator_secrets(
    identity: IdentityKeyPair,
    ephemeral_private: bytes,
    their_identity: IdentityKey,
    signed_prekey: bytes,
    one_time_prekey: bytes | None,
) -> bytes:
    """Alice's side, 96 or 128 bytes. Raises ``InvalidPublicKey``."""
    secrets = (
        identity.agree(signed_prekey)
        + curve25519.shared_secret(ephemeral_private, their_identity.public)
        + curve25519.shared_secret(ephemeral_private, signed_prekey)
    )
    if one_time_prekey is not None:
        secrets += curve25519.shared_secret(ephemeral_private, one_time_prekey)
    return secrets


def responder_secrets(
    identity: IdentityKeyPair,
    signed_prekey_private: bytes,
    one_time_prekey_private: bytes | None,
    their_identity: IdentityKey,
    ephemeral: bytes,
) -> bytes:
    """Bob's side, 96 or 128 bytes. Raises ``InvalidPublicKey``."""
    secrets = (
        curve25519.shared_secret(signed_prekey_private, their_identity.public)
        + identity.agree(ephemeral)
        + curve25519.shared_secret(signed_prekey_private, ephemeral)
    )
    if one_time_prekey_private is not None:
        secrets += curve25519.shared_secret(one_time_prekey_private, ephemeral)
    return secrets


def derive(secrets: bytes, info: bytes, length: int = 32) -> bytes:
    """KDF(KM) of §2.2: HKDF-SHA-256 with a zero salt and F in front of KM. ``info`` names the application."""
    return HKDF(hashes.SHA256(), length, bytes(32), info).derive(_F + secrets)
