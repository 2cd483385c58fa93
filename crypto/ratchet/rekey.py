"""The post-quantum part of the ratchet: now and then an ML-KEM-768 secret goes into the root key, beside X25519's.

Signal's Triple Ratchet (SPQR) and Apple's PQ3 say why; this is a sparse form of our own. The session's initiator
*generates*, the responder *encapsulates*:

1. Every ``rekey_interval`` of its sending chains the generator makes a key pair and offers the public key.
2. The encapsulator answers with a ciphertext.
3. The generator's next sending chain begins with a root step of X25519's secret *and* the KEM's. Its headers say so.

Nothing depends on a secret before both sides have it, so offer and answer travel in messages that may be lost: in the
first three of a chain and every 16th, until the next step shows that they arrived. They are inside of the AEAD, so the
ratchet authenticates them. The argument why this heals is docs/security/ratchet-rekey.md.
"""

import hashlib
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from crypto import wire
from crypto.errors import DecodeError
from crypto.handshake import kem
from crypto.randomness import Randomness
from crypto.ratchet.errors import MessageRejected, Rejection
from crypto.ratchet.kdf import KEY_LENGTH

MAX_REKEYS = 2**32 - 1
MAX_FRAME = 1 + 4 + kem.PUBLIC_LENGTH

_DIGEST_LENGTH = 32
_FIRST_MESSAGES = 3
_EVERY = 16
_INFO = b" ML-KEM-768 "
_NOTHING = b"\x00"  # what stands in front of most plaintexts


class _Kind(IntEnum):
    """What stands in front of a plaintext where it is not ``_NOTHING``."""

    OFFER = 1  # number(4) | public key(1184)
    ANSWER = 2  # number(4) | ciphertext(1088)


_LENGTHS = {_Kind.OFFER: kem.PUBLIC_LENGTH, _Kind.ANSWER: kem.CIPHERTEXT_LENGTH}


class Frame(NamedTuple):
    """A decrypted message, split: ``material`` is an offer or an answer to rekey ``number``."""

    number: int
    material: bytes
    plaintext: bytes


def _transcript(number: int, public: bytes, ciphertext: bytes) -> bytes:
    """Binds the secret to both messages that it came from, 32 bytes."""
    return hashlib.sha256(wire.u32(number) + public + ciphertext).digest()


@dataclass(slots=True, repr=False)
class Rekeying:
    """The state of one side. Fields that are not None say which step is next.

    ``number``: rekeys that are part of the root key. ``chains``: the generator's sending chains since the last one.
    ``chain_number``: the rekey that the current sending chain began with, 0 for none; what its headers say.
    """

    generates: bool
    number: int = 0
    chains: int = 0
    chain_number: int = 0
    seed: bytes | None = None  # generator, from offer to answer: 64 bytes
    public: bytes | None = None  # generator, as long; encapsulator, until it answers: 1,184 bytes
    ciphertext: bytes | None = None  # encapsulator, until the step: 1,088 bytes
    secret: bytes | None = None  # agreed and not yet part of the root key: 32 bytes
    transcript: bytes | None = None  # with it: 32 bytes

    def before_chain(self, interval: int, randomness: Randomness) -> None:
        """A sending chain is about to begin without a rekey: count it, and offer if it is time."""
        self.chain_number = 0
        if not self.generates:
            return
        self.chains += 1
        if self.seed is None and self.chains >= interval and self.number < MAX_REKEYS:
            self.seed = randomness.random_bytes(kem.SEED_LENGTH)
            self.public = kem.public_key(self.seed)

    def step(self, shared: bytes, info: bytes) -> tuple[bytes, bytes]:
        """The input and the info of a root step with the agreed secret; ``shared``, ``info``: of one without."""
        assert self.secret is not None
        assert self.transcript is not None
        return shared + self.secret, info + _INFO + self.transcript

    def stepped(self) -> None:
        """The step is done: nothing of this rekey is kept."""
        self.number += 1
        self.chains = 0
        self.seed = self.public = self.ciphertext = self.secret = self.transcript = None

    def accepts_step(self, number: int) -> bool:
        """Whether a received chain may begin with rekey ``number``."""
        return not self.generates and self.secret is not None and number == self.number + 1

    def frame(self, position: int, plaintext: bytes, limit: int) -> bytes:
        """``plaintext`` with what has to be told in front, for message ``position`` of a chain.

        Answers a waiting offer first. Beyond ``limit`` bytes of plaintext nothing is told.
        """
        if self.public is not None and not self.generates:
            self.secret, self.ciphertext = kem.encapsulate(self.public)
            self.transcript = _transcript(self.number + 1, self.public, self.ciphertext)
            self.public = None
        material = self.public if self.generates else self.ciphertext
        told = position < _FIRST_MESSAGES or position % _EVERY == 0
        if material is None or not told or len(plaintext) > limit:
            return _NOTHING + plaintext
        kind = _Kind.OFFER if self.generates else _Kind.ANSWER
        return wire.u8(kind) + wire.u32(self.number + 1) + material + plaintext

    def split(self, framed: bytes) -> Frame | bytes:
        """The inverse of ``frame``; the bare plaintext if there is nothing else. Changes nothing.

        Raises ``MessageRejected`` (malformed).
        """
        if framed[:1] == _NOTHING:
            return framed[1:]
        reader = wire.Reader(framed, "framed plaintext")
        try:
            kind = _Kind(reader.integer(1))
            number, material = reader.integer(4), reader.take(_LENGTHS[kind])
            if kind is _Kind.OFFER:
                kem.check_public(material)
        except (ValueError, DecodeError):
            raise MessageRejected(Rejection.MALFORMED) from None
        if (kind is _Kind.OFFER) == self.generates:
            raise MessageRejected(Rejection.MALFORMED)
        return Frame(number, material, reader.rest())

    def absorb(self, frame: Frame) -> None:
        """Take over an offer or an answer. One that is late or known already is ignored."""
        if frame.number != self.number + 1 or self.secret is not None:
            return
        if not self.generates:
            self.public = frame.material
        elif self.seed is not None and self.public is not None:
            self.secret = kem.decapsulate(self.seed, frame.material)
            self.transcript = _transcript(frame.number, self.public, frame.material)
            self.seed = self.public = None

    def encode(self) -> bytes:
        """flag generates | number(4) | chains(4) | chain number(4) | five optional fields."""
        parts = [wire.u8(self.generates), wire.u32(self.number)]
        parts += [wire.u32(min(self.chains, MAX_REKEYS)), wire.u32(self.chain_number)]
        optional = (self.seed, self.public, self.ciphertext, self.secret, self.transcript)
        parts += [b"\x00" if field is None else b"\x01" + field for field in optional]
        return b"".join(parts)

    @classmethod
    def read(cls, reader: wire.Reader) -> "Rekeying":
        """The inverse of ``encode``; raises ``DecodeError``."""
        generates = reader.flag()
        number, chains, chain_number = (reader.integer(4) for _ in range(3))
        lengths = (kem.SEED_LENGTH, kem.PUBLIC_LENGTH, kem.CIPHERTEXT_LENGTH, KEY_LENGTH, _DIGEST_LENGTH)
        seed, public, ciphertext, secret, transcript = (
            reader.take(length) if reader.flag() else None for length in lengths
        )
        if (
            (secret is None) != (transcript is None)
            or (seed is not None and (not generates or public is None))
            or (ciphertext is not None and (generates or secret is None))
            or (public is not None and (secret is not None or (generates and seed is None)))
            or chain_number > number
            or (public is not None and number == MAX_REKEYS)
        ):
            raise DecodeError("ratchet state: an impossible state of the rekeying")
        if public is not None:
            kem.check_public(public)
        return cls(generates, number, chains, chain_number, seed, public, ciphertext, secret, transcript)
