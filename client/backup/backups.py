"""The backup of an account on this device: what a user does with it."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from client.api import Connection
from client.backup import opening, state
from client.backup.errors import NoBackup
from client.backup.file_store import FileStore
from client.backup.forms import Forms, Header
from client.backup.operators import Operators
from client.backup.places import open_place
from client.backup.restoring import restore
from client.backup.state import BackupState
from client.backup.writing import BackupWriter, Written
from client.storage import Database
from crypto.backup import RecoveryKey, Shape, set_pin, wrap_with_passphrase
from crypto.randomness import Randomness


class Backups:
    """Methods raise ClientBackupError and BackupUnavailable."""

    def __init__(
        self,
        database: Database,
        connection: Connection,
        account: str,
        randomness: Randomness,
        operators: Callable[[Sequence[str]], Operators],
    ) -> None:
        """`account`: 32 hexadecimal digits. `operators`: those at addresses."""
        self._database = database
        self._connection = connection
        self._account = account
        self._randomness = randomness
        self._operators = operators

    @property
    def place(self) -> Mapping[str, Any] | None:
        """Where the backup is that this device writes; None if it has none."""
        known = state.load(self._database)
        return None if known is None else known.place

    @property
    def recovery_key(self) -> RecoveryKey:
        """To be written down. Raises NoBackup."""
        return self._known().key

    async def create(self, place: Mapping[str, Any], passphrase: str | None = None) -> RecoveryKey:
        """Begins a backup at a place where there is none, and returns its recovery key. Raises AnotherBackup."""
        key = RecoveryKey.generate(self._randomness)
        forms = Forms() if passphrase is None else Forms(wrap_with_passphrase(key, passphrase, self._randomness))
        writer = self._writer(open_place(place, self._connection))
        await writer.begin(BackupState(key, secrets.token_hex(16), 1, place), forms)
        return key

    async def write(self) -> Written:
        """Adds what is new to the backup, and tells the operators of its PIN which version is the newest."""
        written = await self._writer(self._store()).write()
        await self._note()
        return written

    async def set_passphrase(self, passphrase: str) -> None:
        """Lets a passphrase open the backup, in place of a former one, also of one in the legacy form."""
        blob = wrap_with_passphrase(self._known().key, passphrase, self._randomness)
        await self._writer(self._store()).change_forms(lambda forms: replace(forms, passphrase=blob, legacy=None))

    async def set_pin(self, pin: str, addresses: Sequence[str]) -> None:
        """Lets a PIN open the backup, with ten guesses, in place of a former one. `addresses`: of the operators, in the
        order of their numbers. If this fails midway, there may be no PIN until it is set again."""
        operators = self._operators(addresses)
        count = len(operators)
        shape = Shape(1 if count == 1 else max(2, count // 2 + 1), count)
        setup = set_pin(pin, self._known().key, self._randomness, shape)
        await operators.enrol(setup.enrolments)
        writer = self._writer(self._store())
        await writer.change_forms(lambda forms: replace(forms, pin=setup.envelope))
        # Opened once, so that a PIN that does not work is noticed now; and for the tokens.
        recovered = await opening.with_pin(await self._header(self._store()), pin, operators, self._randomness)
        state.save(self._database, replace(self._known(), operators=addresses, tokens=recovered.tokens))
        await self._note()

    async def restore_with_words(self, place: Mapping[str, Any], words: str) -> int:
        """Restores by the recovery key. Returns how many messages are new here."""
        return await self._restore(place, opening.with_words(words))

    async def restore_with_passphrase(self, place: Mapping[str, Any], passphrase: str) -> int:
        """Restores by a passphrase, also in the legacy form. Returns how many messages are new here."""
        header = await self._header(open_place(place, self._connection))
        return await self._restore(place, opening.with_passphrase(header, passphrase))

    async def restore_with_pin(self, place: Mapping[str, Any], pin: str, addresses: Sequence[str]) -> int:
        """Restores by a PIN; `addresses` as in `set_pin`. Returns how many messages are new here."""
        header = await self._header(open_place(place, self._connection))
        found = await opening.with_pin(header, pin, self._operators(addresses), self._randomness)
        return await self._restore(place, found.recovery_key, found.archive, addresses, found.tokens)

    async def delete(self, place: Mapping[str, Any] | None = None) -> None:
        """Deletes the backup at its place, and its PIN at the operators that can be reached. Raises NoBackup. `place`:
        deletes what is there, whichever device began it, also if nobody has its recovery key any more."""
        store = self._store() if place is None else open_place(place, self._connection)
        await store.delete()
        if place in (None, self.place):
            await self._operators(self._known().operators).forget()
            with self._database.transaction():
                state.forget(self._database)

    async def _restore(
        self,
        place: Mapping[str, Any],
        key: RecoveryKey,
        min_number: int = 0,
        operators: Sequence[str] = (),
        tokens: Mapping[int, bytes] | None = None,
    ) -> int:
        known = state.load(self._database)
        if known is not None and known.key == key:
            min_number = max(min_number, known.number)
        store = open_place(place, self._connection)
        return await restore(
            *(self._database, store, self._account, key, place),
            min_number=min_number,
            operators=operators,
            tokens=tokens,
        )

    async def _header(self, store: FileStore) -> Header:
        stored = await store.header()
        if stored is None:
            raise NoBackup
        return Header.decode(stored.content)

    async def _note(self) -> None:
        known = self._known()
        if known.tokens:
            await self._operators(known.operators).note_archive(known.tokens, known.number)

    def _known(self) -> BackupState:
        known = state.load(self._database)
        if known is None:
            raise NoBackup
        return known

    def _store(self) -> FileStore:
        return open_place(self._known().place, self._connection)

    def _writer(self, store: FileStore) -> BackupWriter:
        return BackupWriter(self._database, store, self._account, self._randomness)
