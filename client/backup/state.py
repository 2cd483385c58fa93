"""What this device knows of its backup, in the account's database."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from client.backup.history import Record
from client.storage import Database
from crypto.backup import RecoveryKey

_NAME = "backup"


@dataclass(frozen=True, slots=True)
class BackupState:
    """`backup`: the id of the backup that this device writes, `number`: its newest version that it knows of. `place`:
    where it is, as client.backup.places reads it. `operators`: addresses of those of its PIN, in their order.
    `tokens`: by operator, what shows it that the PIN is known."""

    key: RecoveryKey = field(repr=False)
    backup: str
    number: int
    place: Mapping[str, Any] = field(repr=False)
    operators: Sequence[str] = ()
    tokens: Mapping[int, bytes] = field(default_factory=dict, repr=False)


def load(database: Database) -> BackupState | None:
    """None if this device has no backup."""
    rows = database.rows("select value from state where name = ?", _NAME)
    if not rows:
        return None
    members = json.loads(rows[0][0])
    return BackupState(
        RecoveryKey(bytes.fromhex(members["key"])),
        members["backup"],
        members["number"],
        members["place"],
        members.get("operators", ()),
        {int(index): bytes.fromhex(token) for index, token in members["tokens"].items()},
    )


def save(database: Database, state: BackupState) -> None:
    """Callers hold the transaction, or need none."""
    members = {
        "key": state.key.raw.hex(),
        "backup": state.backup,
        "number": state.number,
        "place": dict(state.place),
        "operators": list(state.operators),
        "tokens": {str(index): token.hex() for index, token in state.tokens.items()},
    }
    database.execute("insert or replace into state (name, value) values (?, ?)", _NAME, json.dumps(members).encode())


def forget(database: Database) -> None:
    """This device has no backup any more."""
    database.execute("delete from state where name = ?", _NAME)
    database.execute("delete from backed_up")


def changed(database: Database, records: Iterable[Record]) -> list[Record]:
    """Those that the backup does not have as they are."""
    known = dict(database.rows("select key, digest from backed_up"))
    return [record for record in records if known.get(record.key) != record.digest]


def backed_up(database: Database, records: Iterable[Record]) -> None:
    """The backup has these. Callers hold the transaction."""
    for record in records:
        database.execute("insert or replace into backed_up (key, digest) values (?, ?)", record.key, record.digest)
