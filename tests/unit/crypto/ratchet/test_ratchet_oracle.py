"""The `doubleratchet` package as the other side: the same messages, both ways, out of order."""

import asyncio
import os
import random
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from doubleratchet import AuthenticationFailedException, EncryptedMessage
from doubleratchet import DoubleRatchet as TheirRatchet
from doubleratchet import Header as TheirHeader
from doubleratchet.aead import AEAD
from doubleratchet.recommended import (
    HashFunction,
    diffie_hellman_ratchet_curve25519,
    kdf_hkdf,
    kdf_separate_hmacs,
)

from crypto.randomness import SystemRandomness
from crypto.ratchet import DoubleRatchet, MessageRejected, PlainHeaderFormat, RatchetParameters

RANDOM = SystemRandomness()
PARAMETERS = RatchetParameters(message_format=PlainHeaderFormat())
AD = b"both identities"
T = TypeVar("T")


def wait(coroutine: Coroutine[Any, Any, T]) -> T:
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.close()


class Aead(AEAD):
    """AES-256-GCM as our format uses it, with the nonce in front of the ciphertext."""

    @staticmethod
    async def encrypt(plaintext: bytes, key: bytes, associated_data: bytes) -> bytes:
        nonce = os.urandom(12)
        return nonce + AESGCM(key).encrypt(nonce, plaintext, associated_data)

    @staticmethod
    async def decrypt(ciphertext: bytes, key: bytes, associated_data: bytes) -> bytes:
        try:
            return AESGCM(key).decrypt(ciphertext[:12], ciphertext[12:], associated_data)
        except InvalidTag:
            raise AuthenticationFailedException from None


class RootKdf(kdf_hkdf.KDF):
    @staticmethod
    def _get_hash_function() -> HashFunction:
        return HashFunction.SHA_256

    @staticmethod
    def _get_info() -> bytes:
        return PARAMETERS.root_info


class ChainKdf(kdf_separate_hmacs.KDF):
    @staticmethod
    def _get_hash_function() -> HashFunction:
        return HashFunction.SHA_256


def encode(header: TheirHeader) -> bytes:
    return (
        header.ratchet_pub
        + header.previous_sending_chain_length.to_bytes(4, "big")
        + header.sending_chain_length.to_bytes(4, "big")
    )


class Theirs(TheirRatchet):
    @staticmethod
    def _build_associated_data(associated_data: bytes, header: TheirHeader) -> bytes:
        return len(associated_data).to_bytes(4, "big") + associated_data + b"\x02" + encode(header)


CONFIGURATION: dict[str, Any] = {
    "diffie_hellman_ratchet_class": diffie_hellman_ratchet_curve25519.DiffieHellmanRatchet,
    "root_chain_kdf": RootKdf,
    "message_chain_kdf": ChainKdf,
    "message_chain_constant": b"\x02\x01",
    "dos_protection_threshold": 1000,
    "max_num_skipped_message_keys": 2000,
    "aead": Aead,
}


def to_wire(message: EncryptedMessage) -> bytes:
    return b"\x02" + message.ciphertext[:12] + encode(message.header) + message.ciphertext[12:]


def from_wire(message: bytes) -> EncryptedMessage:
    header = TheirHeader(message[13:45], int.from_bytes(message[45:49], "big"), int.from_bytes(message[49:53], "big"))
    return EncryptedMessage(header=header, ciphertext=message[1:13] + message[53:])


def converse(ours: DoubleRatchet, theirs: TheirRatchet, turns: int) -> None:
    """Both send one to four messages a turn, each turn is delivered in any order, some of it a turn late."""
    choice = random.Random(7)
    late: list[tuple[bool, bytes, bytes]] = []  # for us, message, plaintext
    for turn in range(turns):
        batch: list[tuple[bool, bytes, bytes]] = []
        for number in range(choice.randint(1, 4)):
            plaintext = f"{turn}.{number}".encode()
            batch.append((False, ours.encrypt(plaintext, RANDOM), plaintext))
        for number in range(choice.randint(1, 4)):
            plaintext = f"{turn}:{number}".encode()
            batch.append((True, to_wire(wait(theirs.encrypt_message(plaintext, AD))), plaintext))
        choice.shuffle(batch)
        kept_back = batch.pop()
        for for_us, message, plaintext in batch + late:
            received = ours.decrypt(message) if for_us else wait(theirs.decrypt_message(from_wire(message), AD))
            assert received == plaintext
        late = [kept_back]


@pytest.fixture
def prekey() -> tuple[bytes, bytes]:
    private = os.urandom(32)
    return private, X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def test_we_initiate(prekey: tuple[bytes, bytes]) -> None:
    secret = os.urandom(32)
    ours = DoubleRatchet.initiate(secret, prekey[1], AD, RANDOM, PARAMETERS)
    theirs, plaintext = wait(
        Theirs.decrypt_initial_message(
            shared_secret=secret,
            own_ratchet_priv=prekey[0],
            message=from_wire(ours.encrypt(b"hello", RANDOM)),
            associated_data=AD,
            **CONFIGURATION,
        )
    )
    assert plaintext == b"hello"
    assert ours.decrypt(to_wire(wait(theirs.encrypt_message(b"hello yourself", AD)))) == b"hello yourself"
    converse(ours, theirs, 60)


def test_they_initiate(prekey: tuple[bytes, bytes]) -> None:
    secret = os.urandom(32)
    theirs, first = wait(
        Theirs.encrypt_initial_message(
            shared_secret=secret,
            recipient_ratchet_pub=prekey[1],
            message=b"hello",
            associated_data=AD,
            **CONFIGURATION,
        )
    )
    ours = DoubleRatchet.respond(secret, prekey[0], AD, PARAMETERS)
    assert ours.decrypt(to_wire(first)) == b"hello"
    assert wait(theirs.decrypt_message(from_wire(ours.encrypt(b"hello yourself", RANDOM)), AD)) == b"hello yourself"
    converse(ours, theirs, 60)


def test_both_refuse_other_associated_data(prekey: tuple[bytes, bytes]) -> None:
    secret = os.urandom(32)
    ours = DoubleRatchet.initiate(secret, prekey[1], AD, RANDOM, PARAMETERS)
    message = ours.encrypt(b"hello", RANDOM)
    with pytest.raises(AuthenticationFailedException):
        wait(
            Theirs.decrypt_initial_message(
                shared_secret=secret,
                own_ratchet_priv=prekey[0],
                message=from_wire(message),
                associated_data=b"someone else",
                **CONFIGURATION,
            )
        )
    with pytest.raises(MessageRejected):
        DoubleRatchet.respond(secret, prekey[0], b"someone else", PARAMETERS).decrypt(message)
