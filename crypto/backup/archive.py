"""The key archive: everything a new device needs, encrypted under the recovery key.

version(1) = 2 | number(8) | salt(32) | STREAM of (length(8) | archive | zeros up to the padded length), see
crypto.attachments. The key is HKDF-SHA-256(recovery key, salt); a salt is used once, so the nonce prefix may be
constant. The header is authenticated. Version 1 had no number and counts as number 0.

A store can always hand out an older archive that it kept. The number is what a device compares with what it knows: its
own last archive, another device's, or what the operators of a PIN were told (``GuessLimiter.note_archive``). A device
that has nothing but the recovery key on paper cannot tell.
"""

from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from crypto import wire
from crypto.attachments.errors import AttachmentRejected
from crypto.attachments.padding import padded_length
from crypto.attachments.stream import PREFIX_LENGTH, StreamOpener, StreamSealer
from crypto.backup.errors import ArchiveRejected, ArchiveRolledBack
from crypto.backup.recovery_key import RecoveryKey
from crypto.errors import DecodeError
from crypto.randomness import Randomness

FORMAT_VERSION = 2
_SALT_LENGTH = 32
_NUMBER_LENGTH = 8
_LENGTH_FIELD = 8
_PREFIX = bytes(PREFIX_LENGTH)
_INFO = b"Entativa backup 1 archive"


@dataclass(frozen=True, slots=True)
class Archive:
    """An opened archive and its number."""

    number: int
    content: bytes = field(repr=False)


def _key(recovery_key: RecoveryKey, salt: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt, _INFO).derive(recovery_key.raw)


def seal_archive(recovery_key: RecoveryKey, archive: bytes, number: int, randomness: Randomness) -> bytes:
    """The encrypted archive, for any store: none of them learns more than its padded length and its number.

    ``number``: one more than that of the last archive of the account, at least 1.
    """
    if number < 1:
        raise ValueError("archives are numbered from 1")
    salt = randomness.random_bytes(_SALT_LENGTH)
    header = wire.u8(FORMAT_VERSION) + wire.u64(number) + salt
    sealer = StreamSealer(_key(recovery_key, salt), _PREFIX, header)
    length = _LENGTH_FIELD + len(archive)
    padded = wire.u64(len(archive)) + archive + bytes(padded_length(length) - length)
    return header + sealer.update(padded) + sealer.finish()


def open_archive(recovery_key: RecoveryKey, sealed: bytes, *, min_number: int) -> Archive:
    """The inverse of ``seal_archive``. ``min_number``: the highest number that this device knows of, 0 for none.

    Raises ``ArchiveRolledBack`` for an older archive, ``ArchiveRejected`` (also for a wrong key), ``DecodeError``, or
    ``UnsupportedStateVersion``.
    """
    reader = wire.Reader(sealed, "backup archive")
    number = reader.integer(_NUMBER_LENGTH) if reader.state_version(FORMAT_VERSION) > 1 else 0
    salt, ciphertext = reader.take(_SALT_LENGTH), reader.rest()
    opener = StreamOpener(_key(recovery_key, salt), _PREFIX, sealed[: len(sealed) - len(ciphertext)])
    try:
        padded = opener.update(ciphertext) + opener.finish()
    except AttachmentRejected:
        raise ArchiveRejected("altered, cut, or sealed under another recovery key") from None
    length = int.from_bytes(padded[:_LENGTH_FIELD], "big")
    if len(padded) < _LENGTH_FIELD or len(padded) != padded_length(_LENGTH_FIELD + length):
        raise DecodeError("backup archive: not padded as its length asks for")
    if number < min_number:
        raise ArchiveRolledBack(f"archive {number} is older than archive {min_number}")
    return Archive(number, padded[_LENGTH_FIELD : _LENGTH_FIELD + length])
