"""The accounts on a device: a folder each, with the database and the key file that says how it is opened."""

import os
import re
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from client.storage.database import Database
from client.storage.errors import AccountExists, AccountUnknown, StorageError
from client.storage.protection import KEY_LENGTH, Protection, find_key, forget_key, needs_passphrase, protect
from crypto.randomness import Randomness, SystemRandomness

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@-]{0,99}")
_DATABASE = "account.db"
_KEY = "key.json"


@dataclass(frozen=True, slots=True)
class AccountFolder:
    """`name` is the folder's, and not secret."""

    name: str
    needs_passphrase: bool


class AccountFolders:
    """All accounts under one folder, which only its owner can read."""

    def __init__(self, path: Path, randomness: Randomness | None = None) -> None:
        self._path = path
        self._randomness = randomness or SystemRandomness()

    def list(self) -> list[AccountFolder]:
        """The accounts in the order of their names. One whose key file is damaged is left out."""
        found = []
        for key_file in sorted(self._path.glob(f"*/{_KEY}")):
            name = key_file.parent.name
            if _NAME.fullmatch(name):
                try:
                    found.append(AccountFolder(name, needs_passphrase(key_file.read_bytes())))
                except StorageError:
                    continue
        return found

    def create(self, name: str, protection: Protection, fill: Callable[[Database], None] = lambda _: None) -> Database:
        """Creates an account and opens it. All of it is there afterwards, with what `fill` writes, or nothing.

        Raises ValueError for a name that is not letters, digits and `._@-`; AccountExists; KeyringUnavailable.
        """
        folder = self._folder(name)
        if folder.exists():
            raise AccountExists(f"there is an account {name} already")
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = self._path / f".new-{secrets.token_hex(8)}"
        new.mkdir(mode=0o700)
        try:
            key = self._randomness.random_bytes(KEY_LENGTH)
            database = Database(new / _DATABASE, key)
            try:
                fill(database)
            finally:
                database.close()
            label = f"{name} {self._randomness.random_bytes(8).hex()}"  # an older account's entry stays as it is
            _write(new / _KEY, protect(key, label, protection, self._randomness))
            new.rename(folder)
        except BaseException as error:
            shutil.rmtree(new)
            if isinstance(error, OSError) and folder.exists():
                raise AccountExists(f"there is an account {name} already") from error
            raise
        _sync(self._path)
        return Database(folder / _DATABASE, key)

    def open(self, name: str, passphrase: str | None = None) -> Database:
        """Opens an account.

        Raises AccountUnknown, AccountInUse, WrongPassphrase, KeyLost, KeyringUnavailable or StorageTooNew.
        """
        return Database(self._folder(name) / _DATABASE, find_key(self._key_file(name), passphrase))

    def protect(self, name: str, passphrase: str | None, protection: Protection) -> None:
        """Replaces the passphrase, or moves the key into or out of the keyring. Raises what `open` raises."""
        former = self._key_file(name)
        key = find_key(former, passphrase)
        label = f"{name} {self._randomness.random_bytes(8).hex()}"
        _write(self._folder(name) / _KEY, protect(key, label, protection, self._randomness))
        forget_key(former)

    def delete(self, name: str) -> None:
        """Deletes an account from this device, its key first. Raises AccountUnknown or KeyringUnavailable."""
        key_file = self._key_file(name)
        forget_key(key_file)
        (self._folder(name) / _KEY).unlink()
        shutil.rmtree(self._folder(name))

    def _folder(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError("an account's name has letters, digits and ._@- only")
        return self._path / name

    def _key_file(self, name: str) -> bytes:
        try:
            return (self._folder(name) / _KEY).read_bytes()
        except FileNotFoundError as error:
            raise AccountUnknown(f"there is no account {name} on this device") from error


def _write(path: Path, content: bytes) -> None:
    """Writes a file so that after a crash it has its former or its new content."""
    new = path.with_suffix(".new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
