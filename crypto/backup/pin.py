"""The client's side of PINs: the recovery key wrapped under what the guess limiter's OPRF makes of the PIN.

The envelope is kind(1) = 3 | Argon2 parameters(9) | salt(16) | wrapped key(92). Without the limiter's key it
says nothing about the PIN: the OPRF output has 512 bits that only the limiter can compute. Argon2id comes on top
for the case that the limiter itself is stolen.
"""

from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from crypto import wire
from crypto.backup import oprf
from crypto.backup.argon2id import SALT_LENGTH, Argon2Parameters, normalized, stretch
from crypto.backup.guess_limiter import TOKEN_LENGTH, verifier_of
from crypto.backup.recovery_key import RecoveryKey
from crypto.backup.wrapping import WRAPPED_LENGTH, unwrap, wrap
from crypto.errors import DecodeError
from crypto.randomness import Randomness

KIND = 3
_INFO = b"Entativa PIN 1 token"
_DEFAULT = Argon2Parameters()


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What the client sends to ``GuessLimiter.enrol``."""

    envelope: bytes
    verifier: bytes


@dataclass(frozen=True, slots=True)
class Recovered:
    """``token`` goes to ``GuessLimiter.confirm``, which gives the guesses back. 32 bytes."""

    recovery_key: RecoveryKey = field(repr=False)
    token: bytes = field(repr=False)


def _token(stretched: bytes, header: bytes) -> bytes:
    return HKDF(hashes.SHA256(), TOKEN_LENGTH, None, _INFO + header).derive(stretched)


class PinAttempt:
    """One PIN on its way to the guess limiter: ``element`` (32 bytes) is what the server gets to see."""

    __slots__ = ("_blinded",)

    def __init__(self, pin: str, randomness: Randomness) -> None:
        self._blinded = oprf.blind(normalized(pin), randomness)

    def __repr__(self) -> str:
        return "PinAttempt(...)"

    @property
    def element(self) -> bytes:
        """The blinded PIN: it fits every PIN equally well."""
        return self._blinded.element

    def enrol(
        self,
        evaluated: bytes,
        recovery_key: RecoveryKey,
        randomness: Randomness,
        parameters: Argon2Parameters = _DEFAULT,
    ) -> Enrolment:
        """With the answer of ``GuessLimiter.begin``. Raises ``DecodeError`` for a bad answer."""
        salt = randomness.random_bytes(SALT_LENGTH)
        header = wire.u8(KIND) + parameters.encode() + salt
        stretched = stretch(self._blinded.finalize(evaluated), salt, parameters)
        envelope = header + wrap(stretched, header, recovery_key, randomness)
        return Enrolment(envelope, verifier_of(_token(stretched, header)))

    def recover(self, evaluated: bytes, envelope: bytes) -> Recovered:
        """With the answer of ``GuessLimiter.guess``. Raises ``WrongSecret``, ``DecodeError`` or
        ``NotEnoughMemory``.
        """
        reader = wire.Reader(envelope, "PIN envelope")
        if reader.integer(1) != KIND:
            raise DecodeError("PIN envelope: another kind")
        parameters = Argon2Parameters.read(reader)
        salt, wrapped = reader.take(SALT_LENGTH), reader.take(WRAPPED_LENGTH)
        reader.finish()
        header = envelope[: len(envelope) - WRAPPED_LENGTH]
        stretched = stretch(self._blinded.finalize(evaluated), salt, parameters)
        return Recovered(unwrap(stretched, header, wrapped), _token(stretched, header))
