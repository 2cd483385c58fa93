"""The key archive: everything a new device needs, encrypted under the recovery key.

version(1) | salt(32) | STREAM of (length(8) | archive | zeros up to the padded length), see crypto.attachments.
The key is HKDF-SHA-256(recovery key, salt); a salt is used once, so the nonce prefix may be constant.
"""

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from crypto import wire
from crypto.attachments.errors import AttachmentRejected
from crypto.attachments.padding import padded_length
from crypto.attachments.stream import PREFIX_LENGTH, StreamOpener, StreamSealer
from crypto.backup.errors import ArchiveRejected
from crypto.backup.recovery_key import RecoveryKey
from crypto.errors import DecodeError
from crypto.randomness import Randomness

FORMAT_VERSION = 1
_SALT_LENGTH = 32
_LENGTH_FIELD = 8
_PREFIX = bytes(PREFIX_LENGTH)
_INFO = b"Entativa backup 1 archive"


def _key(recovery_key: RecoveryKey, salt: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt, _INFO).derive(recovery_key.raw)


def seal_archive(recovery_key: RecoveryKey, archive: bytes, randomness: Randomness) -> bytes:
    """The encrypted archive, for any store: none of them learns more than its padded length."""
    salt = randomness.random_bytes(_SALT_LENGTH)
    header = wire.u8(FORMAT_VERSION) + salt
    sealer = StreamSealer(_key(recovery_key, salt), _PREFIX, header)
    length = _LENGTH_FIELD + len(archive)
    padded = wire.u64(len(archive)) + archive + bytes(padded_length(length) - length)
    return header + sealer.update(padded) + sealer.finish()


def open_archive(recovery_key: RecoveryKey, sealed: bytes) -> bytes:
    """The inverse of ``seal_archive``.

    Raises ``ArchiveRejected`` (also for a wrong key), ``DecodeError``, or ``UnsupportedStateVersion``.
    """
    reader = wire.Reader(sealed, "backup archive")
    reader.state_version(FORMAT_VERSION)
    salt = reader.take(_SALT_LENGTH)
    opener = StreamOpener(_key(recovery_key, salt), _PREFIX, sealed[: 1 + _SALT_LENGTH])
    try:
        padded = opener.update(reader.rest()) + opener.finish()
    except AttachmentRejected:
        raise ArchiveRejected("altered, cut, or sealed under another recovery key") from None
    length = int.from_bytes(padded[:_LENGTH_FIELD], "big")
    if len(padded) < _LENGTH_FIELD or len(padded) != padded_length(_LENGTH_FIELD + length):
        raise DecodeError("backup archive: not padded as its length asks for")
    return padded[_LENGTH_FIELD : _LENGTH_FIELD + length]
