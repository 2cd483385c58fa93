"""The header of a backup: the recovery key wrapped in several ways, and the sealed index of segments.

JSON with `version` 1. `forms`: by kind, each in Base64: `passphrase` and `legacy` (crypto.backup blobs), `pin` (the
envelope; who the operators are is never taken from a place). `index`: an archive (crypto.backup.seal_archive), whose
number grows with each version. The index is JSON: `account`; `backup`, a random id; `segments`, the SHA-256 of all
segments' digests in order, so that no place can leave one out or exchange two; `open`, whether the last segment is to
be replaced by a longer one; `version` 1.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from client.backup.errors import BackupDamaged, BackupTooNew, NotTheKey, OlderBackup
from crypto.backup import ArchiveRejected, ArchiveRolledBack, RecoveryKey, open_archive, seal_archive
from crypto.errors import DecodeError, UnsupportedStateVersion
from crypto.randomness import Randomness

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Forms:
    """Ways to the recovery key."""

    passphrase: bytes | None = field(default=None, repr=False)
    legacy: bytes | None = field(default=None, repr=False)
    pin: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Index:
    """`account`, `backup`: 32 hexadecimal digits; the second one is the same as long as the backup is not begun anew.
    `number`: of this version. `open`: whether the last segment is not full."""

    account: str
    backup: str
    number: int
    segments: tuple[str, ...]
    open: bool = False


@dataclass(frozen=True, slots=True)
class Header:
    """`sealed`: the index."""

    forms: Forms
    sealed: bytes = field(repr=False)

    @classmethod
    def seal(cls, forms: Forms, index: Index, key: RecoveryKey, randomness: Randomness) -> Self:
        """A header for these segments."""
        content = {
            "version": _VERSION,
            "account": index.account,
            "backup": index.backup,
            "segments": _digest(index.segments),
            "open": index.open,
        }
        return cls(forms, seal_archive(key, json.dumps(content).encode(), index.number, randomness))

    def open(self, key: RecoveryKey, segments: tuple[str, ...], *, min_number: int) -> Index:
        """The index of the segments that the place names. `min_number`: the newest version that this device knows of.
        Raises NotTheKey, OlderBackup, BackupDamaged or BackupTooNew."""
        try:
            archive = open_archive(key, self.sealed, min_number=min_number)
        except ArchiveRejected as error:
            raise NotTheKey from error
        except ArchiveRolledBack as error:
            raise OlderBackup from error
        except UnsupportedStateVersion as error:
            raise BackupTooNew from error
        except DecodeError as error:
            raise BackupDamaged("its index cannot be read") from error
        members = _members(archive.content)
        account, backup = members.get("account"), members.get("backup")
        if not isinstance(account, str) or not isinstance(backup, str) or members.get("segments") != _digest(segments):
            raise BackupDamaged("its place names other segments than the device that wrote it")
        return Index(account, backup, archive.number, segments, members.get("open") is True)

    def with_forms(self, **changed: Any) -> Self:
        """The same with other forms."""
        return replace(self, forms=replace(self.forms, **changed))

    def encode(self) -> bytes:
        """What a place stores."""
        forms: dict[str, Any] = {
            name: base64.b64encode(blob).decode()
            for name, blob in (
                ("passphrase", self.forms.passphrase),
                ("legacy", self.forms.legacy),
                ("pin", self.forms.pin),
            )
            if blob is not None
        }
        return json.dumps(
            {"version": _VERSION, "forms": forms, "index": base64.b64encode(self.sealed).decode()}
        ).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The inverse. Raises BackupDamaged or BackupTooNew."""
        members = _members(data)
        forms, index = members.get("forms"), members.get("index")
        if not isinstance(forms, dict) or not isinstance(index, str):
            raise BackupDamaged("its header cannot be read")
        blobs = {name: _bytes(forms[name]) for name in ("passphrase", "legacy", "pin") if name in forms}
        return cls(Forms(**blobs), _bytes(index))


def _digest(segments: tuple[str, ...]) -> str:
    return hashlib.sha256(b"".join(map(bytes.fromhex, segments))).hexdigest()


def _members(data: bytes) -> Mapping[str, Any]:
    try:
        members = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BackupDamaged("it cannot be read") from error
    if not isinstance(members, dict) or not isinstance(members.get("version"), int):
        raise BackupDamaged("it cannot be read")
    if members["version"] > _VERSION:
        raise BackupTooNew
    return members


def _bytes(value: Any) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        raise BackupDamaged("its header cannot be read") from error
