"""The recovery key wrapped under Argon2id(passphrase).

kind(1) = 1 | Argon2 parameters(9) | salt(16) | wrapped key(92).
"""

from crypto import wire
from crypto.backup.argon2id import SALT_LENGTH, Argon2Parameters, normalized, stretch
from crypto.backup.recovery_key import RecoveryKey
from crypto.backup.wrapping import WRAPPED_LENGTH, unwrap, wrap
from crypto.errors import DecodeError
from crypto.randomness import Randomness

KIND = 1
_DEFAULT = Argon2Parameters()


def wrap_with_passphrase(
    recovery_key: RecoveryKey,
    passphrase: str,
    randomness: Randomness,
    parameters: Argon2Parameters = _DEFAULT,
) -> bytes:
    """The blob. Whoever has it can try passphrases, at the price of one Argon2id each: for strong ones only."""
    salt = randomness.random_bytes(SALT_LENGTH)
    header = wire.u8(KIND) + parameters.encode() + salt
    return header + wrap(stretch(normalized(passphrase), salt, parameters), header, recovery_key.raw, randomness)


def unwrap_with_passphrase(blob: bytes, passphrase: str) -> RecoveryKey:
    """The inverse; raises ``DecodeError``, ``WrongSecret`` or ``NotEnoughMemory``."""
    reader = wire.Reader(blob, "passphrase blob")
    if reader.integer(1) != KIND:
        raise DecodeError("passphrase blob: another kind")
    parameters = Argon2Parameters.read(reader)
    salt = reader.take(SALT_LENGTH)
    wrapped = reader.take(WRAPPED_LENGTH)
    reader.finish()
    header = blob[: len(blob) - WRAPPED_LENGTH]
    return RecoveryKey(unwrap(stretch(normalized(passphrase), salt, parameters), header, wrapped))
