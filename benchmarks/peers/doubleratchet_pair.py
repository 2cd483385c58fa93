"""Two parties of the `doubleratchet` package, with the primitives that it recommends."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from doubleratchet import DoubleRatchet, EncryptedMessage, Header
from doubleratchet.recommended import (
    HashFunction,
    aead_aes_hmac,
    diffie_hellman_ratchet_curve25519,
    kdf_hkdf,
    kdf_separate_hmacs,
)

NAME = f"doubleratchet {version('doubleratchet')}"

_DH = diffie_hellman_ratchet_curve25519.DiffieHellmanRatchet


class _Ratchet(DoubleRatchet):
    @staticmethod
    def _build_associated_data(associated_data: bytes, header: Header) -> bytes:
        return (
            associated_data
            + header.ratchet_pub
            + header.sending_chain_length.to_bytes(4, "big")
            + header.previous_sending_chain_length.to_bytes(4, "big")
        )


class _RootKdf(kdf_hkdf.KDF):
    @staticmethod
    def _get_hash_function() -> HashFunction:
        return HashFunction.SHA_256

    @staticmethod
    def _get_info() -> bytes:
        return b"benchmark root"


class _MessageKdf(kdf_separate_hmacs.KDF):
    @staticmethod
    def _get_hash_function() -> HashFunction:
        return HashFunction.SHA_256


class _Aead(aead_aes_hmac.AEAD):
    @staticmethod
    def _get_hash_function() -> HashFunction:
        return HashFunction.SHA_256

    @staticmethod
    def _get_info() -> bytes:
        return b"benchmark message"


class Pair:
    """Alice, who has sent one message, and Bob, who has received it."""

    def __init__(self, alice: DoubleRatchet, bob: DoubleRatchet, associated_data: bytes) -> None:
        self._parties = (alice, bob)
        self._associated_data = associated_data

    @classmethod
    async def start(cls, shared_secret: bytes, bob_private: bytes, bob_public: bytes) -> Pair:
        """shared_secret, bob_private and bob_public (X25519): 32 bytes each."""
        associated_data = b"alice and bob"
        common: dict[str, Any] = {
            "diffie_hellman_ratchet_class": _DH,
            "root_chain_kdf": _RootKdf,
            "message_chain_kdf": _MessageKdf,
            "message_chain_constant": b"\x02\x01",
            "dos_protection_threshold": 1000,
            "max_num_skipped_message_keys": 2000,
            "aead": _Aead,
            "shared_secret": shared_secret,
            "associated_data": associated_data,
        }
        alice, first = await _Ratchet.encrypt_initial_message(
            recipient_ratchet_pub=bob_public, message=b"first", **common
        )
        bob, _ = await _Ratchet.decrypt_initial_message(own_ratchet_priv=bob_private, message=first, **common)
        return cls(alice, bob, associated_data)

    async def encrypt(self, sender: int, plaintext: bytes) -> EncryptedMessage:
        """sender: 0 Alice, 1 Bob."""
        return await self._parties[sender].encrypt_message(plaintext, self._associated_data)

    async def decrypt(self, receiver: int, message: EncryptedMessage) -> bytes:
        plaintext: bytes = await self._parties[receiver].decrypt_message(message, self._associated_data)
        return plaintext
