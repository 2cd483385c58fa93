"""What the client keeps on a device: one encrypted SQLite file for each account.

`AccountFolders` finds, creates and opens accounts; `Database` is one of them, opened.
"""

from client.storage.account_folders import AccountFolder, AccountFolders
from client.storage.database import Database
from client.storage.errors import (
    AccountExists,
    AccountInUse,
    AccountUnknown,
    KeyLost,
    KeyringUnavailable,
    StorageError,
    StorageTooNew,
    WrongPassphrase,
)
from client.storage.protection import InKeyring, Protection, WithPassphrase, has_keyring

__all__ = [
    "AccountExists",
    "AccountFolder",
    "AccountFolders",
    "AccountInUse",
    "AccountUnknown",
    "Database",
    "InKeyring",
    "KeyLost",
    "KeyringUnavailable",
    "Protection",
    "StorageError",
    "StorageTooNew",
    "WithPassphrase",
    "WrongPassphrase",
    "has_keyring",
]
