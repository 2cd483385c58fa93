"""The older form: PBKDF2-HMAC-SHA-256 (RFC 8018 §5.2) over a bcrypt check of cost 12.

kind(1) = 2 | iterations(4) | salt(16) | bcrypt string(60) | wrapped key(92). The bcrypt string tells a wrong
passphrase quickly; it does not help a thief, for whom PBKDF2 alone is the cheaper test.

Who it is for: backups that must be opened where Argon2id is not to be had (browsers' WebCrypto and FIPS-only
environments know PBKDF2), and the product's promise of this very form. Everybody else uses ``wrap_with_passphrase``:
PBKDF2 takes no memory, so a thief with graphics cards tries passphrases hundreds of times faster than with Argon2id.
"""

import base64
import hashlib

import bcrypt

from crypto import wire
from crypto.backup.argon2id import normalized
from crypto.backup.errors import WrongSecret
from crypto.backup.recovery_key import RecoveryKey
from crypto.backup.wrapping import WRAPPED_LENGTH, unwrap, wrap
from crypto.errors import DecodeError
from crypto.randomness import Randomness

KIND = 2
MIN_ITERATIONS = 100_000
DEFAULT_ITERATIONS = 600_000

_MAX_ITERATIONS = 10_000_000
_SALT_LENGTH = 16
_BCRYPT_LENGTH = 60
_BCRYPT_PREFIX = b"$2b$12$"
_STANDARD = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_BCRYPT = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_TO_BCRYPT = bytes.maketrans(_STANDARD, _BCRYPT)
_BCRYPT_CHARACTERS = frozenset(_BCRYPT)


def _bcrypt_input(passphrase: str) -> bytes:
    """bcrypt reads 72 bytes and stops at a zero byte, so it gets a hash in base64 (44 bytes)."""
    return base64.b64encode(hashlib.sha256(b"Entativa bcrypt 1" + normalized(passphrase)).digest())


def _stretch(passphrase: str, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", normalized(passphrase), salt, iterations, 32)


def wrap_with_legacy_passphrase(
    recovery_key: RecoveryKey,
    passphrase: str,
    randomness: Randomness,
    iterations: int = DEFAULT_ITERATIONS,
) -> bytes:
    """The blob. Raises ``ValueError`` for less than 100,000 iterations (or more than 10 million)."""
    if not MIN_ITERATIONS <= iterations <= _MAX_ITERATIONS:
        raise ValueError("between 100,000 and 10,000,000 iterations")
    salt = randomness.random_bytes(_SALT_LENGTH)
    bcrypt_salt = base64.b64encode(randomness.random_bytes(16)).rstrip(b"=").translate(_TO_BCRYPT)
    check = bcrypt.hashpw(_bcrypt_input(passphrase), _BCRYPT_PREFIX + bcrypt_salt)
    header = wire.u8(KIND) + wire.u32(iterations) + salt + check
    return header + wrap(_stretch(passphrase, salt, iterations), header, recovery_key.raw, randomness)


def unwrap_with_legacy_passphrase(blob: bytes, passphrase: str) -> RecoveryKey:
    """The inverse; raises ``DecodeError`` or ``WrongSecret``."""
    reader = wire.Reader(blob, "legacy passphrase blob")
    if reader.integer(1) != KIND:
        raise DecodeError("legacy passphrase blob: another kind")
    iterations = reader.integer(4)
    salt, check = reader.take(_SALT_LENGTH), reader.take(_BCRYPT_LENGTH)
    wrapped = reader.take(WRAPPED_LENGTH)
    reader.finish()
    if not MIN_ITERATIONS <= iterations <= _MAX_ITERATIONS:
        raise DecodeError("legacy passphrase blob: iterations out of range")
    if not check.startswith(_BCRYPT_PREFIX) or not _BCRYPT_CHARACTERS.issuperset(check[7:]):
        raise DecodeError("legacy passphrase blob: not a bcrypt check of cost 12")
    try:
        right = bcrypt.checkpw(_bcrypt_input(passphrase), check)
    except ValueError:
        raise DecodeError("legacy passphrase blob: not a bcrypt check of cost 12") from None
    if not right:
        raise WrongSecret("the passphrase does not open this blob")
    header = blob[: len(blob) - WRAPPED_LENGTH]
    return RecoveryKey(unwrap(_stretch(passphrase, salt, iterations), header, wrapped))
