"""An operator's side of PINs: one share of an OPRF key, which answers at most ten guesses and is then gone.

A pure state machine, one for each account and operator. Its state does not depend on the PIN at all: the share is
random, and so is what the verifier was made from. Whoever steals it, or the archive, or both of fewer operators than
the threshold, can test no guess. What is encrypted under the PIN is kept with the archive, by somebody else.

Each step goes like this, and nothing is answered before the last point of it:
1. Read the state, and the account's *anchor*: a number in a store that no restored backup takes back.
2. ``guess``/``confirm``/``note_archive`` with ``anchored``. A state older than its anchor is refused.
3. Make the next state durable.
4. Move the anchor from ``anchored`` to the next state's ``sequence``: atomically, and only if it still is ``anchored``.
The state names its account, so a copy does not count anew in another account's place. Both hold only if whoever can put
copies back cannot write states: encrypt and authenticate them at rest.
If the process dies between 3 and 4, a guess is lost. What may serve as an anchor: docs/security/crypto.md.
"""

import hashlib
import hmac
from dataclasses import dataclass, replace

from crypto import wire
from crypto.backup import oprf, ristretto255
from crypto.backup.errors import GuessesExhausted, StoreRolledBack, WrongSecret
from crypto.backup.threshold import MAX_OPERATORS, Share
from crypto.errors import DecodeError

STATE_VERSION = 2  # version 1, which held share and envelope together, is read by version_1.py
MAX_GUESSES = 10
TOKEN_LENGTH = 32
VERIFIER_LENGTH = 32

_WIRE_VERSION = 2
_MAX_ACCOUNT = 256
_MAX_SEQUENCE = 2**64 - 1


def verifier_of(token: bytes) -> bytes:
    """What an operator keeps of its token: SHA-256, 32 bytes."""
    return hashlib.sha256(b"Entativa PIN token 1" + token).digest()


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a client gives to one operator, over a channel that nobody else reads.

    ``verifier``: of a random token (32 bytes) that comes back when a guess was right.
    """

    share: Share
    verifier: bytes

    def __post_init__(self) -> None:
        wire.require_length("a verifier", self.verifier, VERIFIER_LENGTH)

    def encode(self) -> bytes:
        """version(1) | share(33) | verifier(32). Secret."""
        return wire.u8(_WIRE_VERSION) + self.share.encode() + self.verifier

    @classmethod
    def decode(cls, data: bytes) -> "Enrolment":
        """The inverse of ``encode``; raises ``DecodeError``."""
        reader = wire.Reader(data, "enrolment")
        reader.format_version(_WIRE_VERSION)
        enrolment = cls(Share.read(reader), reader.take(VERIFIER_LENGTH))
        reader.finish()
        return enrolment


@dataclass(frozen=True, slots=True)
class Answer:
    """What an operator answers to a guess.

    ``evaluated``: 32 bytes. ``archive``: the sequence number of the newest archive that this operator was told of.
    ``remaining``: guesses that are left here.
    """

    index: int
    evaluated: bytes
    archive: int
    remaining: int

    def __post_init__(self) -> None:
        wire.require_length("an evaluation", self.evaluated, ristretto255.ELEMENT_LENGTH)
        if not 1 <= self.index <= MAX_OPERATORS or not 0 <= self.remaining <= MAX_GUESSES:
            raise DecodeError("not an answer of an operator")

    def encode(self) -> bytes:
        """version(1) | index(1) | evaluated(32) | archive(8) | remaining(1)."""
        return b"".join(
            (
                wire.u8(_WIRE_VERSION),
                wire.u8(self.index),
                self.evaluated,
                wire.u64(self.archive),
                wire.u8(self.remaining),
            )
        )

    @classmethod
    def decode(cls, data: bytes) -> "Answer":
        """The inverse of ``encode``; raises ``DecodeError``."""
        reader = wire.Reader(data, "operator's answer")
        reader.format_version(_WIRE_VERSION)
        answer = cls(reader.integer(1), reader.take(ristretto255.ELEMENT_LENGTH), reader.integer(8), reader.integer(1))
        reader.finish()
        return answer


@dataclass(frozen=True, slots=True)
class GuessLimiter:
    """One operator's state for one account.

    ``account``: whose it is, at most 256 bytes in UTF-8. ``share``: None once it is gone.
    ``remaining``: guesses, 0..10. ``sequence``: grows with every step, for ever.
    ``archive``: the sequence number of the newest archive, 0 for none.
    """

    account: str
    share: Share | None
    verifier: bytes
    sequence: int
    remaining: int = MAX_GUESSES
    archive: int = 0

    @classmethod
    def enrol(cls, account: str, enrolment: Enrolment, *, anchored: int) -> "GuessLimiter":
        """A new PIN in place of whatever the account had. ``anchored``: the account's anchor, 0 for a new one."""
        return cls(account, enrolment.share, enrolment.verifier, anchored + 1)

    def guess(self, element: bytes, *, anchored: int) -> "tuple[GuessLimiter, Answer]":
        """Answer a guess; ``element`` is the blinded PIN (32 bytes).

        The tenth guess is still answered, but its next state has no share any more. Raises ``StoreRolledBack``,
        ``GuessesExhausted``, or ``DecodeError`` for a bad element, which costs no guess.
        """
        share = self._current_share(anchored)
        evaluated = oprf.evaluate(share.scalar, element)
        remaining = self.remaining - 1
        following = replace(self, share=share if remaining else None, remaining=remaining, sequence=self.sequence + 1)
        return following, Answer(share.index, evaluated, self.archive, remaining)

    def confirm(self, token: bytes, *, anchored: int) -> "GuessLimiter":
        """The client has opened its envelope: all guesses are back.

        Raises ``StoreRolledBack``, ``WrongSecret``, or ``GuessesExhausted`` after the tenth guess: the client enrols
        anew then.
        """
        self._check(token, anchored)
        return replace(self, remaining=MAX_GUESSES, sequence=self.sequence + 1)

    def note_archive(self, token: bytes, archive: int, *, anchored: int) -> "GuessLimiter":
        """The client has stored archive number ``archive``; a lower number than before is ignored.

        Raises as ``confirm``.
        """
        self._check(token, anchored)
        return replace(self, archive=max(self.archive, archive), sequence=self.sequence + 1)

    def _current_share(self, anchored: int) -> Share:
        if anchored > self.sequence:
            raise StoreRolledBack("the state is older than its anchor")
        if self.share is None:
            raise GuessesExhausted("all guesses are used up")
        return self.share

    def _check(self, token: bytes, anchored: int) -> None:
        self._current_share(anchored)
        if not hmac.compare_digest(verifier_of(token), self.verifier):
            raise WrongSecret("not the token of this enrolment")

    def serialize(self) -> bytes:
        """version(1) | account block | flag [share(33)] | verifier(32) | sequence(8) | remaining(1) | archive(8).

        Secret: encrypt and authenticate it at rest.
        """
        return b"".join(
            (
                wire.u8(STATE_VERSION),
                wire.text(self.account, _MAX_ACCOUNT),
                b"\x00" if self.share is None else b"\x01" + self.share.encode(),
                self.verifier,
                wire.u64(self.sequence),
                wire.u8(self.remaining),
                wire.u64(self.archive),
            )
        )

    @classmethod
    def restore(cls, state: bytes, account: str) -> "GuessLimiter":
        """The inverse of ``serialize``.

        Raises ``DecodeError`` (also for another account's state) or ``UnsupportedStateVersion``.
        """
        reader = wire.Reader(state, "guess limiter")
        if reader.state_version(STATE_VERSION) != STATE_VERSION:
            raise DecodeError("guess limiter: version 1 holds the envelope, too; split it first")
        if reader.text(_MAX_ACCOUNT) != account:
            raise DecodeError("guess limiter: the state belongs to another account")
        share = Share.read(reader) if reader.flag() else None
        verifier = reader.take(VERIFIER_LENGTH)
        sequence, remaining, archive = reader.integer(8), reader.integer(1), reader.integer(8)
        reader.finish()
        if remaining > MAX_GUESSES or (share is None) != (remaining == 0):
            raise DecodeError("guess limiter: an impossible number of guesses")
        if sequence == _MAX_SEQUENCE:
            raise DecodeError("guess limiter: an impossible sequence number")
        return cls(account, share, verifier, sequence, remaining, archive)
