"""Restoring a backup on a device: its history, and from then on the backup itself, which the device goes on writing."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from client.backup import history, state
from client.backup.errors import AnotherBackup, BackupDamaged, BusyBackup, NoBackup
from client.backup.file_store import FileStore, SegmentMissing
from client.backup.forms import Header, Index
from client.backup.history import Record
from client.backup.segments import open_segment
from client.backup.state import BackupState
from client.storage import Database
from crypto.backup import RecoveryKey

_ATTEMPTS = 5
_BATCH = 1_000
"""Records in one transaction."""


async def restore(
    database: Database,
    store: FileStore,
    account: str,
    key: RecoveryKey,
    place: Mapping[str, Any],
    *,
    min_number: int = 0,
    operators: Sequence[str] = (),
    tokens: Mapping[int, bytes] | None = None,
) -> int:
    """Takes over the backup of an account (32 hexadecimal digits) and returns how many messages are new here. After an
    interruption begin again: nothing comes twice. `min_number`: what the operators of a PIN say is the newest version.

    Raises NoBackup, NotTheKey, OlderBackup, BackupDamaged, BackupTooNew, BusyBackup, BackupUnavailable, or
    AnotherBackup for somebody else's.
    """
    index, records = await _read(store, key, min_number)
    if index.account != account:
        raise AnotherBackup
    restored, new = iter(records.values()), 0
    while batch := list(islice(restored, _BATCH)):
        with database.transaction():
            new += history.apply(database, batch)
    with database.transaction():
        history.seen(database)
        state.forget(database)
        state.save(database, BackupState(key, index.backup, index.number, place, operators, tokens or {}))
        state.backed_up(database, records.values())
    return new


async def _read(store: FileStore, key: RecoveryKey, min_number: int) -> tuple[Index, dict[str, Record]]:
    """All records, the newest one of each key, in the order in which the keys were first written."""
    for _ in range(_ATTEMPTS):
        stored = await store.header()
        if stored is None:
            raise NoBackup
        index = Header.decode(stored.content).open(key, stored.segments, min_number=min_number)
        records: dict[str, Record] = {}
        try:
            for name in index.segments:
                content = open_segment(key, name, await store.get(name))
                records.update((record.key, record) for record in history.decode(content))
        except SegmentMissing as error:
            newest = await store.header()
            if newest is not None and newest.version == stored.version:
                raise BackupDamaged("a segment is missing") from error
            continue  # another device has replaced it meanwhile
        return index, records
    raise BusyBackup
