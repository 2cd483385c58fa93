"""The client's side of PINs: the recovery key wrapped under what the operators' OPRF makes of the PIN.

The envelope is kind(1) = 4 | shape(2) | Argon2 parameters(9) | salt(16) | wrapped(124) of recovery key(32) | confirm
secret(32), and is kept with the archive. Without the shares of ``threshold`` operators it says nothing about the PIN:
the OPRF output has 512 bits that only they can compute together. Argon2id comes on top for the case that all of
them are stolen.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from crypto import wire
from crypto.backup import oprf, version_1
from crypto.backup.argon2id import SALT_LENGTH, Argon2Parameters, normalized, stretch
from crypto.backup.errors import NotEnoughAnswers, ThresholdTooLow, WrongSecret
from crypto.backup.guess_limiter import TOKEN_LENGTH, Answer, Enrolment, verifier_of
from crypto.backup.recovery_key import KEY_LENGTH, RecoveryKey
from crypto.backup.threshold import TWO_OPERATORS, Shape, combine, split
from crypto.backup.wrapping import OVERHEAD, unwrap, wrap
from crypto.errors import DecodeError
from crypto.randomness import Randomness

KIND = 4
_CONFIRM_LENGTH = 32
_WRAPPED_LENGTH = OVERHEAD + KEY_LENGTH + _CONFIRM_LENGTH
_INFO = b"Entativa PIN 2 token"
_DEFAULT = Argon2Parameters()


@dataclass(frozen=True, slots=True)
class PinSetup:
    """``envelope`` goes to the archive's store, ``enrolments[i]`` to operator ``i + 1`` alone."""

    envelope: bytes
    enrolments: tuple[Enrolment, ...]


@dataclass(frozen=True, slots=True)
class Recovered:
    """``tokens``: by operator, for ``GuessLimiter.confirm``, which gives the guesses back; 32 bytes each.

    ``archive``: the newest archive's number that an operator knows; accept none below it.
    """

    recovery_key: RecoveryKey = field(repr=False)
    tokens: Mapping[int, bytes] = field(repr=False)
    archive: int


def _token(confirm: bytes, index: int) -> bytes:
    """One operator's token: no operator can confirm a guess to another one."""
    return HKDF(hashes.SHA256(), TOKEN_LENGTH, None, _INFO + wire.u8(index)).derive(confirm)


def set_pin(
    pin: str,
    recovery_key: RecoveryKey,
    randomness: Randomness,
    shape: Shape = TWO_OPERATORS,
    parameters: Argon2Parameters = _DEFAULT,
) -> PinSetup:
    """Deal a new key to the operators and wrap ``recovery_key`` under it. Raises ``NotEnoughMemory``."""
    key = oprf.random_scalar(randomness)
    shares = split(key, shape, randomness)
    confirm, salt = randomness.random_bytes(_CONFIRM_LENGTH), randomness.random_bytes(SALT_LENGTH)
    header = wire.u8(KIND) + shape.encode() + parameters.encode() + salt
    stretched = stretch(oprf.output(key, normalized(pin)), salt, parameters)
    envelope = header + wrap(stretched, header, recovery_key.raw + confirm, randomness)
    return PinSetup(envelope, tuple(Enrolment(share, verifier_of(_token(confirm, share.index))) for share in shares))


class PinAttempt:
    """One PIN on its way to the operators: ``element`` (32 bytes) is what they get to see."""

    __slots__ = ("_blinded",)

    def __init__(self, pin: str, randomness: Randomness) -> None:
        self._blinded = oprf.blind(normalized(pin), randomness)

    def __repr__(self) -> str:
        return "PinAttempt(...)"

    @property
    def element(self) -> bytes:
        """The blinded PIN: it fits every PIN equally well."""
        return self._blinded.element

    def recover(self, answers: Iterable[Answer], envelope: bytes, *, min_threshold: int = 2) -> Recovered:
        """With the answers of ``GuessLimiter.guess``, at least ``threshold`` of them.

        ``min_threshold``: the lowest threshold that is accepted. An envelope is only as trustworthy as its store: one
        that a single operator can make for a PIN that it guesses would tell it, by opening, that the guess was right.
        Where more than ``threshold`` have answered, a wrong answer does no harm: every subset is tried, one Argon2id
        each. Raises ``WrongSecret``, ``ThresholdTooLow``, ``NotEnoughAnswers``, ``DecodeError`` or
        ``NotEnoughMemory``.
        """
        by_index = {answer.index: answer for answer in answers}
        if envelope[:1] == wire.u8(version_1.KIND):
            if min_threshold > 1:
                raise ThresholdTooLow("version 1 has one operator")
            return self._recover_version_1(by_index, envelope)
        reader = wire.Reader(envelope, "PIN envelope")
        if reader.integer(1) != KIND:
            raise DecodeError("PIN envelope: another kind")
        shape = Shape.read(reader)
        parameters = Argon2Parameters.read(reader)
        salt, wrapped = reader.take(SALT_LENGTH), reader.take(_WRAPPED_LENGTH)
        reader.finish()
        if shape.threshold < min_threshold:
            raise ThresholdTooLow(f"{shape.threshold} operators can open this envelope")
        usable = {index: by_index[index].evaluated for index in sorted(by_index) if index <= shape.operators}
        if len(usable) < shape.threshold:
            raise NotEnoughAnswers(f"{shape.threshold} operators are needed")
        header = envelope[: len(envelope) - _WRAPPED_LENGTH]
        archive = max(answer.archive for answer in by_index.values())
        for subset in combinations(usable, shape.threshold):
            try:
                evaluated = combine({index: usable[index] for index in subset})
                opened = unwrap(stretch(self._blinded.finalize(evaluated), salt, parameters), header, wrapped)
            except (DecodeError, WrongSecret):
                continue
            confirm = opened[KEY_LENGTH:]
            tokens = {index: _token(confirm, index) for index in range(1, shape.operators + 1)}
            return Recovered(RecoveryKey(opened[:KEY_LENGTH]), tokens, archive)
        raise WrongSecret("the PIN does not open this envelope, or an operator has answered wrongly")

    def _recover_version_1(self, answers: Mapping[int, Answer], envelope: bytes) -> Recovered:
        if 1 not in answers:
            raise NotEnoughAnswers("the one operator is needed")
        answer = answers[1]
        recovery_key, token = version_1.open_envelope(self._blinded.finalize(answer.evaluated), envelope)
        return Recovered(recovery_key, {1: token}, answer.archive)
