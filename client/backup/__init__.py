"""Encrypted backups of an account's history: `Backups` is what a user does with them, `FileStore` a place for them."""

from client.backup.backups import Backups
from client.backup.errors import (
    AnotherBackup,
    BackupDamaged,
    BackupTooNew,
    BusyBackup,
    ClientBackupError,
    NoBackup,
    NoSuchForm,
    NotTheKey,
    OlderBackup,
)
from client.backup.file_store import BackupUnavailable, FileStore
from client.backup.operators import NoPinLeft, Operators, OperatorsUnavailable
from client.backup.places import PLATFORM, NoSuchPlace, open_place, parse_place
from client.backup.writing import Written

__all__ = [
    "PLATFORM",
    "AnotherBackup",
    "BackupDamaged",
    "BackupTooNew",
    "BackupUnavailable",
    "Backups",
    "BusyBackup",
    "ClientBackupError",
    "FileStore",
    "NoBackup",
    "NoPinLeft",
    "NoSuchForm",
    "NoSuchPlace",
    "NotTheKey",
    "OlderBackup",
    "Operators",
    "OperatorsUnavailable",
    "Written",
    "open_place",
    "parse_place",
]
