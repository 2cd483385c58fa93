"""Our ratchet against a literal transcription of the specification's pseudocode, under any schedule.

The transcription (§4, with header encryption) is slow, copies its whole state and shares no code with ours.
"""

import copy
import hmac
import os
from dataclasses import dataclass, field
from typing import Protocol

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.randomness import SystemRandomness
from crypto.ratchet import DoubleRatchet, MessageRejected, PlainHeaderFormat, RatchetParameters, Rejection

RANDOM = SystemRandomness()
SECRET = bytes(range(32))
AD = b"identity of A, identity of B"
SIGNED_PREKEY = bytes(range(100, 132))


def _hkdf(salt: bytes | None, secret: bytes, info: bytes) -> list[bytes]:
    output = HKDF(hashes.SHA256(), 96, salt, info).derive(secret)
    return [output[:32], output[32:64], output[64:]]


def _dh(private: bytes, public: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(public))


def _public(private: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


@dataclass
class Transcription:
    """§4.3's state variables by their names in the specification."""

    rk: bytes
    dhs: bytes
    dhr: bytes | None = None
    cks: bytes | None = None
    ckr: bytes | None = None
    ns: int = 0
    nr: int = 0
    pn: int = 0
    hks: bytes | None = None
    hkr: bytes | None = None
    nhks: bytes | None = None
    nhkr: bytes | None = None
    skipped: dict[tuple[bytes, int], bytes] = field(default_factory=dict)

    @classmethod
    def alice(cls) -> "Transcription":
        root, hka, nhkb = _hkdf(None, SECRET, b"Entativa ratchet 1 initial")
        self = cls(root, os.urandom(32), _public(SIGNED_PREKEY), hks=hka, nhkr=nhkb)
        assert self.dhr is not None
        self.rk, self.cks, self.nhks = _hkdf(root, _dh(self.dhs, self.dhr), b"Entativa ratchet 1 root")
        return self

    @classmethod
    def bob(cls) -> "Transcription":
        root, hka, nhkb = _hkdf(None, SECRET, b"Entativa ratchet 1 initial")
        return cls(root, SIGNED_PREKEY, nhks=nhkb, nhkr=hka)

    @property
    def can_send(self) -> bool:
        return self.cks is not None

    def encrypt(self, plaintext: bytes) -> bytes:
        assert self.cks is not None
        assert self.hks is not None
        key = hmac.digest(self.cks, b"\x01", "sha256")
        self.cks = hmac.digest(self.cks, b"\x02", "sha256")
        header = _public(self.dhs) + self.pn.to_bytes(4, "big") + self.ns.to_bytes(4, "big")
        nonce = os.urandom(12)
        sealed = AESGCM(self.hks).encrypt(nonce, header, b"\x01")
        self.ns += 1
        bound = len(AD).to_bytes(4, "big") + AD + b"\x01" + sealed
        return b"\x01" + nonce + sealed + AESGCM(key).encrypt(nonce, plaintext, bound)

    def decrypt(self, message: bytes) -> bytes | None:
        """None stands for a refusal; the state is then as before."""
        before = copy.deepcopy(self.__dict__)
        try:
            return self._decrypt(message)
        except (InvalidTag, ArithmeticError):
            self.__dict__.update(before)
            return None

    def _decrypt(self, message: bytes) -> bytes:
        nonce, sealed, body = message[1:13], message[13:69], message[69:]

        def header_under(key: bytes | None) -> tuple[bytes, int, int] | None:
            if key is None:
                return None
            try:
                opened = AESGCM(key).decrypt(nonce, sealed, b"\x01")
            except InvalidTag:
                return None
            return opened[:32], int.from_bytes(opened[32:36], "big"), int.from_bytes(opened[36:], "big")

        bound = len(AD).to_bytes(4, "big") + AD + b"\x01" + sealed
        for (header_key, number), key in self.skipped.items():
            header = header_under(header_key)
            if header is not None and header[2] == number:
                plaintext = AESGCM(key).decrypt(nonce, body, bound)
                del self.skipped[header_key, number]
                return plaintext
        header = header_under(self.hkr)
        if header is None:
            header = header_under(self.nhkr)
            if header is None:
                raise InvalidTag
            self._skip(header[1])
            self.pn, self.ns, self.nr = self.ns, 0, 0
            self.hks, self.hkr, self.dhr = self.nhks, self.nhkr, header[0]
            self.rk, self.ckr, self.nhkr = _hkdf(self.rk, _dh(self.dhs, self.dhr), b"Entativa ratchet 1 root")
            self.dhs = os.urandom(32)
            self.rk, self.cks, self.nhks = _hkdf(self.rk, _dh(self.dhs, self.dhr), b"Entativa ratchet 1 root")
        if header[2] < self.nr:
            raise ArithmeticError("a key that is gone")
        self._skip(header[2])
        assert self.ckr is not None
        key = hmac.digest(self.ckr, b"\x01", "sha256")
        self.ckr = hmac.digest(self.ckr, b"\x02", "sha256")
        self.nr += 1
        return AESGCM(key).decrypt(nonce, body, bound)

    def _skip(self, until: int) -> None:
        while self.ckr is not None and self.nr < until:
            assert self.hkr is not None
            self.skipped[self.hkr, self.nr] = hmac.digest(self.ckr, b"\x01", "sha256")
            self.ckr = hmac.digest(self.ckr, b"\x02", "sha256")
            self.nr += 1


class Party(Protocol):
    @property
    def can_send(self) -> bool: ...
    def encrypt(self, plaintext: bytes) -> bytes: ...
    def decrypt(self, message: bytes) -> bytes | None: ...


class Ours:
    """Our ratchet, which is stored and restored between any two steps, and must not change when it refuses."""

    def __init__(self, ratchet: DoubleRatchet, parameters: RatchetParameters) -> None:
        self._state = ratchet.serialize()
        self._parameters = parameters

    @property
    def can_send(self) -> bool:
        return DoubleRatchet.restore(self._state, self._parameters).can_send

    def encrypt(self, plaintext: bytes) -> bytes:
        ratchet = DoubleRatchet.restore(self._state, self._parameters)
        message = ratchet.encrypt(plaintext, RANDOM)
        self._state = ratchet.serialize()
        return message

    def decrypt(self, message: bytes) -> bytes | None:
        ratchet = DoubleRatchet.restore(self._state, self._parameters)
        try:
            plaintext = ratchet.decrypt(message)
        except MessageRejected:
            assert ratchet.serialize() == self._state
            return None
        self._state = ratchet.serialize()
        return plaintext


HIDDEN = RatchetParameters()
PLAIN = RatchetParameters(message_format=PlainHeaderFormat())


def _pair(kind: str) -> tuple[Party, Party]:
    parameters = PLAIN if kind == "plain" else HIDDEN
    alice = Ours(DoubleRatchet.initiate(SECRET, _public(SIGNED_PREKEY), AD, RANDOM, parameters), parameters)
    bob = Ours(DoubleRatchet.respond(SECRET, SIGNED_PREKEY, AD, parameters), parameters)
    pairs: dict[str, tuple[Party, Party]] = {
        "ours": (alice, bob),
        "plain": (alice, bob),
        "ours to the transcription": (alice, Transcription.bob()),
        "the transcription to ours": (Transcription.alice(), bob),
    }
    return pairs[kind]


STEP = st.one_of(
    st.tuples(st.just("send"), st.integers(0, 1)),
    st.tuples(st.just("deliver"), st.integers(0, 30)),
    st.tuples(st.just("deliver the newest"), st.just(0)),
    st.tuples(st.just("alter"), st.integers(0, 2**31)),
)


@pytest.mark.parametrize("kind", ["ours", "plain", "ours to the transcription", "the transcription to ours"])
@settings(max_examples=40, deadline=None)
@given(steps=st.lists(STEP, max_size=40))
def test_every_message_is_read_once_under_any_schedule(kind: str, steps: list[tuple[str, int]]) -> None:
    parties = _pair(kind)
    sent: list[tuple[int, bytes, bytes]] = []  # receiver, message, plaintext
    seen: set[int] = set()

    def deliver(index: int) -> None:
        receiver, message, plaintext = sent[index]
        received = parties[receiver].decrypt(message)
        assert received == (None if index in seen else plaintext)
        seen.add(index)

    for action, number in steps:
        if action == "send" and parties[number].can_send:
            plaintext = f"message {len(sent)}".encode()
            sent.append((1 - number, parties[number].encrypt(plaintext), plaintext))
        elif not sent:
            continue
        elif action == "deliver":
            deliver(number % len(sent))
        elif action == "deliver the newest":
            deliver(len(sent) - 1)
        elif action == "alter":
            receiver, message, _ = sent[number % len(sent)]
            bit = number % (8 * len(message))
            altered = bytearray(message)
            altered[bit // 8] ^= 1 << bit % 8
            if kind in ("ours", "plain"):
                assert parties[receiver].decrypt(bytes(altered)) is None
    for index in range(len(sent)):
        deliver(index)


def test_a_responder_that_has_heard_nothing_cannot_read_or_send() -> None:
    bob = DoubleRatchet.respond(SECRET, SIGNED_PREKEY, AD)
    assert not bob.can_send
    with pytest.raises(MessageRejected) as refused:
        bob.decrypt(DoubleRatchet.respond(SECRET, SIGNED_PREKEY, AD).serialize())
    assert refused.value.reason in (Rejection.MALFORMED, Rejection.UNAUTHENTIC)
