"""Writing a backup: beginning one, and adding what is new.

A segment that is not full is replaced by a longer one, which uploads at most SEGMENT_BYTES again; a full one stays as
it is. Several devices write one backup: each adds its records to whatever is there.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from client.backup import history, state
from client.backup.errors import AnotherBackup, BusyBackup, NoBackup
from client.backup.file_store import FileStore, HeaderChanged, SegmentMissing, StoredHeader, name_of
from client.backup.forms import Forms, Header, Index
from client.backup.history import Record
from client.backup.segments import open_segment, seal_segment
from client.backup.state import BackupState
from client.storage import Database
from crypto.randomness import Randomness

SEGMENT_BYTES = 256 * 1024
"""Of a full segment, before it is sealed; a record is not divided."""
_BATCH_BYTES = 16 * SEGMENT_BYTES
"""Of records in one version of the backup: whoever is interrupted after it goes on from there."""
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Written:
    """What a backup has uploaded: records, and segments with their bytes."""

    records: int = 0
    segments: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class BackupWriter:
    """Writes the backup of an account's device. `account`: 32 hexadecimal digits. Methods raise BackupUnavailable and
    what Header.open raises."""

    database: Database
    store: FileStore
    account: str
    randomness: Randomness

    async def begin(self, begun: BackupState, forms: Forms) -> None:
        """Begins a backup where there is none. Raises AnotherBackup."""
        header = Header.seal(forms, Index(self.account, begun.backup, 1, ()), begun.key, self.randomness)
        try:
            await self.store.replace(header.encode(), (), None)
        except HeaderChanged as error:
            raise AnotherBackup from error
        with self.database.transaction():
            state.forget(self.database)
            state.save(self.database, replace(begun, number=1))

    async def write(self) -> Written:
        """Adds what is new, in as many versions as it takes. Raises NoBackup, AnotherBackup, BusyBackup."""
        new = state.changed(self.database, history.records(self.database))
        written = [await self._add(batch) for batch in _batches(new) or [[]]]
        return Written(
            sum(each.records for each in written),
            sum(each.segments for each in written),
            sum(each.size for each in written),
        )

    async def _add(self, new: list[Record]) -> Written:
        for _ in range(_ATTEMPTS):
            stored, header, index, known = await self._read()
            if not new:
                self._known(known, index.number, new)
                return Written()
            try:
                kept, contents = await self._contents(index, known, new)
                following = replace(index, number=index.number + 1)
                sealed = [seal_segment(known.key, content, following.number, self.randomness) for content in contents]
                names = (*kept, *map(name_of, sealed))
                for data in sealed:
                    await self.store.put(name_of(data), data)
                following = replace(following, segments=names, open=len(contents[-1]) < SEGMENT_BYTES)
                content = Header.seal(header.forms, following, known.key, self.randomness).encode()
                await self.store.replace(content, names, stored)
            except (HeaderChanged, SegmentMissing):
                continue
            self._known(known, following.number, new)
            return Written(len(new), len(sealed), sum(map(len, sealed)))
        raise BusyBackup

    async def change_forms(self, change: Callable[[Forms], Forms]) -> None:
        """Opens the backup in other ways from now on. Raises NoBackup, AnotherBackup, BusyBackup."""
        for _ in range(_ATTEMPTS):
            stored, header, index, known = await self._read()
            following = replace(index, number=index.number + 1)
            content = Header.seal(change(header.forms), following, known.key, self.randomness).encode()
            try:
                await self.store.replace(content, index.segments, stored)
            except HeaderChanged:
                continue
            self._known(known, following.number, [])
            return
        raise BusyBackup

    async def _read(self) -> tuple[StoredHeader, Header, Index, BackupState]:
        known = state.load(self.database)
        stored = await self.store.header()
        if known is None or stored is None:
            raise NoBackup
        header = Header.decode(stored.content)
        index = header.open(known.key, stored.segments, min_number=known.number)
        if (index.account, index.backup) != (self.account, known.backup):
            raise AnotherBackup
        return stored, header, index, known

    async def _contents(self, index: Index, known: BackupState, new: list[Record]) -> tuple[list[str], list[bytes]]:
        """The segments that stay, and the content of those to be written."""
        kept, gathered = list(index.segments), list[Record]()
        if index.open and kept:
            last = kept.pop()
            gathered = history.decode(open_segment(known.key, last, await self.store.get(last)))
        contents, size = [], sum(len(record.line) for record in gathered)
        for record in new:
            if gathered and size + len(record.line) > SEGMENT_BYTES:
                contents.append(history.encode(gathered))
                gathered, size = [], 0
            gathered.append(record)
            size += len(record.line)
        return kept, [*contents, history.encode(gathered)]

    def _known(self, known: BackupState, number: int, records: list[Record]) -> None:
        with self.database.transaction():
            state.backed_up(self.database, records)
            state.save(self.database, replace(known, number=number))


def _batches(records: list[Record]) -> list[list[Record]]:
    batches, size = list[list[Record]](), _BATCH_BYTES
    for record in records:
        if size >= _BATCH_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(record)
        size += len(record.line)
    return batches
