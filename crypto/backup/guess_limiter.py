"""The server's side of PINs: an OPRF key that answers at most ten guesses and is then gone.

A pure state machine. Each step returns the next state, which must be durable before the answer leaves: a guess
that is answered but not counted would be free. The OPRF key is what makes a PIN strong, so this state belongs
in a store of its own, apart from the archives; whoever has both can try all PINs offline.
"""

import hashlib
import hmac
from dataclasses import dataclass, field, replace

from crypto import wire
from crypto.backup import oprf
from crypto.backup.errors import GuessesExhausted, NotEnrolled, WrongSecret
from crypto.errors import DecodeError
from crypto.randomness import Randomness

STATE_VERSION = 1
MAX_GUESSES = 10
TOKEN_LENGTH = 32

_MAX_ENVELOPE = 1_024
_VERIFIER_LENGTH = 32


def verifier_of(token: bytes) -> bytes:
    """What the server keeps of a token: SHA-256, 32 bytes."""
    return hashlib.sha256(b"Entativa PIN token 1" + token).digest()


@dataclass(frozen=True, slots=True)
class GuessLimiter:
    """One account's PIN.

    ``key``: the OPRF key, 32 bytes; None once it is gone. ``envelope``: the client's blob, empty until enrolled.
    ``verifier``: proves later that a guess was right. ``remaining``: guesses, 0..10.
    """

    key: bytes | None = field(repr=False)
    envelope: bytes = field(default=b"", repr=False)
    verifier: bytes = field(default=b"", repr=False)
    remaining: int = MAX_GUESSES

    @classmethod
    def begin(cls, element: bytes, randomness: Randomness) -> "tuple[GuessLimiter, bytes]":
        """A new key, and its evaluation of the client's blinded PIN (32 bytes each) for the enrolment.

        Replaces whatever PIN the account had. Raises ``DecodeError`` for a bad element.
        """
        key = oprf.random_scalar(randomness)
        return cls(key), oprf.evaluate(key, element)

    def enrol(self, envelope: bytes, verifier: bytes) -> "GuessLimiter":
        """Take the client's envelope. Raises ``NotEnrolled`` if there is one already, or ``DecodeError``."""
        if self.key is None or self.envelope:
            raise NotEnrolled("an enrolment has not begun")
        if not 0 < len(envelope) <= _MAX_ENVELOPE or len(verifier) != _VERIFIER_LENGTH:
            raise DecodeError("not an envelope with its verifier")
        return replace(self, envelope=envelope, verifier=verifier)

    def guess(self, element: bytes) -> "tuple[GuessLimiter, bytes, bytes]":
        """Answer a guess: (the next state, the evaluation, the envelope).

        The tenth guess is still answered, but its next state has no key any more. Raises ``GuessesExhausted``,
        ``NotEnrolled``, or ``DecodeError`` for a bad element, which costs no guess.
        """
        if self.key is None:
            raise GuessesExhausted("all guesses are used up")
        if not self.envelope:
            raise NotEnrolled("there is no PIN yet")
        evaluated = oprf.evaluate(self.key, element)
        if self.remaining == 1:
            return GuessLimiter(key=None, remaining=0), evaluated, self.envelope
        return replace(self, remaining=self.remaining - 1), evaluated, self.envelope

    def confirm(self, token: bytes) -> "GuessLimiter":
        """The client has opened its envelope: all guesses are back.

        Raises ``WrongSecret``, or ``GuessesExhausted`` after the tenth guess: the client enrols anew then.
        """
        if self.key is None:
            raise GuessesExhausted("all guesses are used up")
        if not self.envelope or not hmac.compare_digest(verifier_of(token), self.verifier):
            raise WrongSecret("not the token of this envelope")
        return replace(self, remaining=MAX_GUESSES)

    def serialize(self) -> bytes:
        """version(1) | flag [key(32)] | envelope block | verifier block | remaining(1). Secret."""
        return b"".join(
            (
                wire.u8(STATE_VERSION),
                b"\x00" if self.key is None else b"\x01" + self.key,
                wire.block(self.envelope),
                wire.block(self.verifier),
                wire.u8(self.remaining),
            )
        )

    @classmethod
    def restore(cls, state: bytes) -> "GuessLimiter":
        """The inverse of ``serialize``; raises ``DecodeError`` or ``UnsupportedStateVersion``."""
        reader = wire.Reader(state, "guess limiter")
        reader.state_version(STATE_VERSION)
        key = reader.take(oprf.SCALAR_LENGTH) if reader.flag() else None
        envelope, verifier = reader.block(_MAX_ENVELOPE), reader.optional_block(_VERIFIER_LENGTH)
        remaining = reader.integer(1)
        reader.finish()
        if remaining > MAX_GUESSES or (key is None) != (remaining == 0):
            raise DecodeError("guess limiter: an impossible number of guesses")
        return cls(key, envelope, verifier, remaining)
