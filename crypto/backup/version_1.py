"""PINs as version 1 kept them: key, envelope and verifier in one record, from which a PIN can be guessed offline.

Nothing writes this any more. ``split_record`` takes such a record apart; afterwards delete it and all its backups, and
let the client set its PIN anew after the next right guess.
"""

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from crypto import wire
from crypto.backup import oprf
from crypto.backup.argon2id import SALT_LENGTH, Argon2Parameters, stretch
from crypto.backup.guess_limiter import MAX_GUESSES, TOKEN_LENGTH, VERIFIER_LENGTH, GuessLimiter
from crypto.backup.recovery_key import RecoveryKey
from crypto.backup.threshold import Share
from crypto.backup.wrapping import WRAPPED_LENGTH, unwrap
from crypto.errors import DecodeError

KIND = 3
_MAX_ENVELOPE = 1_024
_INFO = b"Entativa PIN 1 token"


def split_record(account: str, state: bytes, *, anchored: int) -> tuple[GuessLimiter, bytes]:
    """The operator's part and the envelope of a record: keep them in two stores.

    Raises ``DecodeError``, also for a record without an envelope (nobody has finished to enrol) or without its key.
    """
    reader = wire.Reader(state, "PIN record")
    reader.format_version(1)
    key = reader.take(oprf.SCALAR_LENGTH) if reader.flag() else None
    envelope, verifier = reader.block(_MAX_ENVELOPE), reader.optional_block(VERIFIER_LENGTH)
    remaining = reader.integer(1)
    reader.finish()
    if key is None or not envelope or not verifier or not 0 < remaining <= MAX_GUESSES:
        raise DecodeError("PIN record: nothing to recover in it")
    return GuessLimiter(account, Share(1, key), verifier, anchored + 1, remaining), envelope


def open_envelope(output: bytes, envelope: bytes) -> tuple[RecoveryKey, bytes]:
    """The recovery key and the token, with the OPRF's ``output`` (64 bytes).

    kind(1) = 3 | Argon2 parameters(9) | salt(16) | wrapped key(92). Raises ``WrongSecret``, ``DecodeError`` or
    ``NotEnoughMemory``.
    """
    reader = wire.Reader(envelope, "PIN envelope")
    if reader.integer(1) != KIND:
        raise DecodeError("PIN envelope: another kind")
    parameters = Argon2Parameters.read(reader)
    salt, wrapped = reader.take(SALT_LENGTH), reader.take(WRAPPED_LENGTH)
    reader.finish()
    header = envelope[: len(envelope) - WRAPPED_LENGTH]
    stretched = stretch(output, salt, parameters)
    token = HKDF(hashes.SHA256(), TOKEN_LENGTH, None, _INFO + header).derive(stretched)
    return RecoveryKey(unwrap(stretched, header, wrapped)), token
