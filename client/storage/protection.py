"""Who keeps the key of an account's database: the operating system's keyring, or a passphrase.

The key is random, 32 bytes, and never changes. A passphrase wraps it under Argon2id, so that it can be replaced without
encrypting the database anew.
"""

import base64
import binascii
import json
from dataclasses import dataclass, field

import keyring
from keyring.errors import KeyringError

from client.storage.errors import KeyLost, KeyringUnavailable, StorageError, WrongPassphrase
from crypto.backup import (
    Argon2Parameters,
    NotEnoughMemory,
    RecoveryKey,
    WrongSecret,
    unwrap_with_passphrase,
    wrap_with_passphrase,
)
from crypto.errors import DecodeError
from crypto.randomness import Randomness

KEY_LENGTH = 32
_SERVICE = "entativa"
_COST = Argon2Parameters()


@dataclass(frozen=True, slots=True)
class InKeyring:
    """The keyring of the operating system keeps the key."""


@dataclass(frozen=True, slots=True)
class WithPassphrase:
    """A passphrase opens the key. `cost` counts when a key is wrapped; it is stored with it."""

    passphrase: str = field(repr=False)
    cost: Argon2Parameters = _COST


Protection = InKeyring | WithPassphrase


def has_keyring() -> bool:
    """Whether this system has a keyring."""
    return bool(keyring.get_keyring().priority > 0)


def protect(key: bytes, label: str, protection: Protection, randomness: Randomness) -> bytes:
    """Keeps `key`. Returns the contents of the key file, from which `find_key` gets it again.

    `label` names the entry of the keyring. Raises KeyringUnavailable, or `crypto.backup.NotEnoughMemory`.
    """
    match protection:
        case InKeyring():
            try:
                keyring.set_password(_SERVICE, label, base64.b64encode(key).decode())
            except KeyringError as error:
                raise KeyringUnavailable("this system has no keyring that is open: use a passphrase") from error
            described = {"protection": "keyring", "label": label}
        case WithPassphrase(passphrase, cost):
            wrapped = wrap_with_passphrase(RecoveryKey(key), passphrase, randomness, cost)
            described = {"protection": "passphrase", "wrapped": base64.b64encode(wrapped).decode()}
    return json.dumps(described).encode()


def needs_passphrase(key_file: bytes) -> bool:
    """Whether `find_key` needs a passphrase. Raises KeyLost for a damaged key file."""
    return _parse(key_file)["protection"] == "passphrase"


def find_key(key_file: bytes, passphrase: str | None) -> bytes:
    """Returns the key, 32 bytes. Raises WrongPassphrase, KeyLost, KeyringUnavailable, or NotEnoughMemory."""
    described = _parse(key_file)
    if described["protection"] == "passphrase":
        if passphrase is None:
            raise WrongPassphrase("this account needs its passphrase")
        try:
            return unwrap_with_passphrase(base64.b64decode(described["wrapped"]), passphrase).raw
        except WrongSecret as error:
            raise WrongPassphrase("the passphrase does not open this account") from error
        except NotEnoughMemory:
            raise
        except (KeyError, ValueError, DecodeError) as error:
            raise KeyLost("the key file of this account is damaged") from error
    try:
        kept = keyring.get_password(_SERVICE, described["label"])
    except KeyringError as error:
        raise KeyringUnavailable("the keyring that has the key of this account cannot be opened") from error
    try:
        key = base64.b64decode(kept or "", validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_LENGTH:
        raise KeyLost("the keyring does not have the key of this account")
    return key


def forget_key(key_file: bytes) -> None:
    """Removes the key from the keyring, if it is there. Raises KeyringUnavailable."""
    try:
        described = _parse(key_file)
    except StorageError:
        return
    if described["protection"] == "keyring":
        try:
            if keyring.get_password(_SERVICE, described["label"]) is not None:
                keyring.delete_password(_SERVICE, described["label"])
        except KeyringError as error:
            raise KeyringUnavailable("the keyring that has the key of this account cannot be opened") from error


def _parse(key_file: bytes) -> dict[str, str]:
    try:
        described = json.loads(key_file)
        if described["protection"] == "passphrase" or (described["protection"] == "keyring" and described["label"]):
            return {str(name): str(value) for name, value in described.items()}
    except (KeyError, TypeError, ValueError):
        pass
    raise KeyLost("the key file of this account is damaged")
