"""Backups of a device's history: written bit by bit, by several devices, and restored whole or not at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from client.api import Connection
from client.backup import (
    AnotherBackup,
    BackupDamaged,
    Backups,
    BackupTooNew,
    BackupUnavailable,
    NoBackup,
    NoSuchForm,
    NoSuchPlace,
    NotTheKey,
    OlderBackup,
    Operators,
    open_place,
    parse_place,
    state,
)
from client.backup import history as histories
from client.backup.file_store import HeaderChanged, SegmentMissing
from client.backup.folder_store import FolderStore
from client.backup.forms import Header
from client.backup.google_sign_in import GoogleProgram
from client.backup.writing import SEGMENT_BYTES, BackupWriter
from client.storage import Database
from crypto.backup import wrap_with_legacy_passphrase
from crypto.randomness import SystemRandomness

RNG = SystemRandomness()
ADA, BRUNO, TALK = "a" * 32, "b" * 32, "c" * 32
MARKER = "violets-are-blue"


def _no_operators(addresses: Sequence[str]) -> Operators:
    assert not addresses
    return Operators((), _no_token)


async def _no_token() -> str:
    raise AssertionError("nobody to show it to")


class TestAccount:
    """An account's device with its backup."""

    __test__ = False

    def __init__(self, path: Path, account: str = ADA, device: int = 1) -> None:
        self.database = Database(path, bytes(32))
        self.device = device
        self.account = account
        self.backups = Backups(self.database, Connection("http://nowhere"), account, RNG, _no_operators)

    def write(self, count: int, *, text: str = MARKER, start: int = 0, sent: bool = True) -> None:
        """Messages of this device in its conversation with bruno."""
        with self.database.transaction():
            self.database.execute(
                "insert into conversations (id, peer, username) values (?, ?, 'bruno') on conflict do nothing",
                *(TALK, BRUNO),
            )
            for number in range(start, start + count):
                self.database.execute(
                    "insert into messages (conversation_id, account_id, device, message_id, seq, sent_at, written_at,"
                    " text) values (?, ?, ?, ?, ?, ?, ?, ?)",
                    *(TALK, self.account, self.device, f"{number:032x}", number + 1 if sent else None),
                    *(number if sent else None, number, f"{text} {number}"),
                )

    def texts(self) -> list[str]:
        return [text for (text,) in self.database.rows("select text from messages order by device, message_id")]

    def writer(self, folder: Path) -> BackupWriter:
        return BackupWriter(self.database, FolderStore(folder), self.account, RNG)


@pytest.fixture
def place(tmp_path: Path) -> dict[str, Any]:
    return {"kind": "folder", "path": str(tmp_path / "stick")}


@pytest.fixture
def ada(tmp_path: Path) -> Iterator[TestAccount]:
    account = TestAccount(tmp_path / "ada.db")
    yield account
    account.database.close()


@pytest.fixture
def new(tmp_path: Path) -> Iterator[TestAccount]:
    """A new device of ada."""
    account = TestAccount(tmp_path / "new.db", device=2)
    yield account
    account.database.close()


def folder_of(place: dict[str, Any]) -> Path:
    return Path(place["path"])


def segments(place: dict[str, Any]) -> set[str]:
    return {path.name for path in folder_of(place).iterdir() if len(path.name) == 64}


async def test_a_year_of_messages_is_not_uploaded_again(
    ada: TestAccount, new: TestAccount, place: dict[str, Any]
) -> None:
    key = await ada.backups.create(place)
    ada.write(3_000)
    first = await ada.backups.write()
    assert first.records == 3_001
    assert first.size > 2 * SEGMENT_BYTES
    full = segments(place)
    assert await ada.backups.write() == replace(first, records=0, segments=0, size=0)
    ada.write(1, start=3_000)
    second = await ada.backups.write()
    assert (second.records, second.segments) == (1, 1)
    assert second.size < 1.2 * SEGMENT_BYTES
    assert len(segments(place) & full) == len(full) - 1
    assert await new.backups.restore_with_words(place, key.words()) == 3_001
    assert new.texts() == ada.texts()
    for path in folder_of(place).iterdir():
        assert MARKER.encode() not in path.read_bytes()


async def test_a_new_device_has_the_history_as_it_was_and_goes_on(
    ada: TestAccount, new: TestAccount, place: dict[str, Any]
) -> None:
    key = await ada.backups.create(place)
    ada.write(3)
    ada.write(1, start=3, sent=False)
    ada.write(1, start=4)
    ada.database.execute("update messages set text = null, problem = 'unknown_device' where seq = 5")
    ada.database.execute("insert into directory_keys values (?, ?, 77, 5)", BRUNO, b"keys")
    await ada.backups.write()
    assert await new.backups.restore_with_words(place, key.words()) == 3  # what is not sent or read is not history
    table = (
        "select conversation_id, account_id, device, message_id, seq, sent_at, written_at, text, problem from messages"
    )
    assert new.database.rows(table) == ada.database.rows(f"{table} where seq is not null and problem is null")
    assert new.database.rows("select id, peer, username, read from conversations") == [(TALK, BRUNO, "bruno", 3)]
    assert new.database.rows("select * from directory_keys") == [(BRUNO, b"keys", 0, 5)]
    assert (await new.backups.write()).records == 0

    new.write(1, text="from the new one", start=10)
    assert (await new.backups.write()).records == 1
    ada.database.execute("delete from messages where problem is not null")  # it has come again, under its own id
    ada.database.execute("update messages set seq = 9, sent_at = 9 where seq is null")
    assert (await ada.backups.write()).records == 1
    assert await ada.backups.restore_with_words(place, key.words()) == 1
    assert await new.backups.restore_with_words(place, key.words()) == 1
    assert ada.texts() == new.texts()
    assert await new.backups.restore_with_words(place, key.words()) == 0


async def test_changes_of_messages_are_restored_and_what_disappears_is_not(
    ada: TestAccount, new: TestAccount, place: dict[str, Any]
) -> None:
    key = await ada.backups.create(place)
    ada.write(4)
    await ada.backups.write()
    assert await new.backups.restore_with_words(place, key.words()) == 4
    change = ada.database.execute
    change("update messages set text = 'edited', edit_seq = 7 where seq = 1")
    change("update messages set text = null, deleted = 1 where seq = 2")
    change("insert into reactions select number, ?, 'a heart', 8 from messages where seq in (1, 4)", BRUNO)
    change("update conversations set accepted = 1, expires_in_s = 60, timer_seq = 9")
    ada.write(1, start=4)
    change("update messages set expires_in_s = 60 where seq = 5")
    assert (await ada.backups.write()).records == 5
    assert await new.backups.restore_with_words(place, key.words()) == 0
    expected = [("edited", 0), (None, 1), (f"{MARKER} 2", 0), (f"{MARKER} 3", 0)]
    assert new.database.rows("select text, deleted from messages order by seq") == expected
    reactions = "select m.seq, r.account_id, emoji from reactions as r join messages as m using (number) order by m.seq"
    assert new.database.rows(reactions) == [(1, BRUNO, "a heart"), (4, BRUNO, "a heart")]
    assert new.database.rows("select accepted, expires_in_s, timer_seq from conversations") == [(1, 60, 9)]
    assert (await new.backups.write()).records == 0

    new.database.execute("update messages set text = null, deleted = 1 where seq = 3")  # known to this device alone
    await new.backups.restore_with_words(place, key.words())
    assert new.database.rows("select text from messages where seq = 3") == [(None,)]


async def test_two_devices_write_at_once(ada: TestAccount, new: TestAccount, place: dict[str, Any]) -> None:
    key = await ada.backups.create(place)
    await new.backups.restore_with_words(place, key.words())
    ada.write(5)
    new.write(5, start=100)

    class Overtaken(FolderStore):
        """The other device writes just before the header does."""

        rounds = 0

        async def replace(self, *arguments: Any) -> None:
            if self.rounds == 0:
                self.rounds += 1
                await new.backups.write()
            await super().replace(*arguments)

    await BackupWriter(ada.database, Overtaken(folder_of(place)), ADA, RNG).write()
    await ada.backups.restore_with_words(place, key.words())
    await new.backups.restore_with_words(place, key.words())
    assert ada.texts() == new.texts()
    assert len(ada.texts()) == 10


@pytest.mark.parametrize("fails", ["put", "replace", "after"])
async def test_an_interruption_loses_nothing(
    ada: TestAccount, new: TestAccount, place: dict[str, Any], fails: str
) -> None:
    key = await ada.backups.create(place)
    ada.write(5)

    class Failing(FolderStore):
        async def put(self, name: str, data: bytes) -> None:
            if fails == "put":
                raise BackupUnavailable("pulled out")
            await super().put(name, data)

        async def replace(self, *arguments: Any) -> None:
            if fails != "replace":
                await super().replace(*arguments)
            raise BackupUnavailable("pulled out")

    with pytest.raises(BackupUnavailable):
        await BackupWriter(ada.database, Failing(folder_of(place)), ADA, RNG).write()
    await ada.backups.write()
    assert await new.backups.restore_with_words(place, key.words()) == 5
    # What only the interrupted one knew stays until the backup is deleted.
    assert len(segments(place)) == (2 if fails == "replace" else 1)
    await ada.backups.delete()
    assert segments(place) == set()


async def test_an_interrupted_backup_goes_on_from_where_it_was(
    ada: TestAccount, new: TestAccount, place: dict[str, Any]
) -> None:
    key = await ada.backups.create(place)
    ada.write(40, text="x" * 200_000)

    class PulledOut(FolderStore):
        puts = 0

        async def put(self, name: str, data: bytes) -> None:
            self.puts += 1
            if self.puts > 30:
                raise BackupUnavailable("pulled out")
            await super().put(name, data)

    with pytest.raises(BackupUnavailable):
        await BackupWriter(ada.database, PulledOut(folder_of(place)), ADA, RNG).write()
    assert await new.backups.restore_with_words(place, key.words()) > 15
    assert (await ada.backups.write()).records < 25
    await new.backups.restore_with_words(place, key.words())
    assert new.texts() == ada.texts()


async def test_what_a_place_can_do_is_noticed(
    ada: TestAccount, new: TestAccount, place: dict[str, Any], tmp_path: Path
) -> None:
    key = await ada.backups.create(place)
    ada.write(2_000)
    await ada.backups.write()
    folder, words = folder_of(place), key.words()
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    header = json.loads((folder / "header.json").read_text())
    first, second, *_ = header["segments"]

    (folder / "header.json").write_text(json.dumps({**header, "segments": [second, first]}))
    with pytest.raises(BackupDamaged):
        await new.backups.restore_with_words(place, words)
    (folder / "header.json").write_text(json.dumps(header))
    (folder / first).write_bytes((folder / second).read_bytes())
    with pytest.raises(BackupDamaged):
        await new.backups.restore_with_words(place, words)
    (folder / first).unlink()
    with pytest.raises(BackupDamaged):
        await new.backups.restore_with_words(place, words)
    (folder / "header.json").write_text("{}")
    with pytest.raises(BackupUnavailable):
        await new.backups.restore_with_words(place, words)
    assert new.texts() == []

    shutil.rmtree(folder)
    shutil.copytree(copy, folder)
    ada.write(1, start=5_000)
    await ada.backups.write()
    shutil.rmtree(folder)
    shutil.copytree(copy, folder)  # an older version, which ada knows to be one
    for operation in (ada.backups.write(), ada.backups.restore_with_words(place, words)):
        with pytest.raises(OlderBackup):
            await operation
    assert await new.backups.restore_with_words(place, words) == 2_000


async def test_another_backup_is_left_alone(
    ada: TestAccount, new: TestAccount, place: dict[str, Any], tmp_path: Path
) -> None:
    for operation in (ada.backups.write(), ada.backups.delete(), ada.backups.set_passphrase("x")):
        with pytest.raises(NoBackup):
            await operation
    key = await ada.backups.create(place)
    with pytest.raises(AnotherBackup):
        await new.backups.create(place)
    assert new.backups.place is None
    strange = await new.backups.create({"kind": "folder", "path": str(tmp_path / "other")})
    with pytest.raises(NotTheKey):
        await ada.backups.restore_with_words(place, strange.words())
    bruno = TestAccount(tmp_path / "bruno.db", BRUNO)
    with pytest.raises(AnotherBackup):
        await bruno.backups.restore_with_words(place, key.words())
    bruno.database.close()
    await ada.backups.delete()
    assert ada.backups.place is None
    assert segments(place) == set()
    with pytest.raises(NoBackup):
        await new.backups.restore_with_words(place, key.words())


async def test_a_backup_that_nobody_can_open_makes_way(
    ada: TestAccount, new: TestAccount, place: dict[str, Any], tmp_path: Path
) -> None:
    await ada.backups.create(place)  # and then the device and the recovery key are lost
    with pytest.raises(AnotherBackup):
        await new.backups.create(place)
    await new.backups.delete(place)
    await new.backups.create(place)
    await new.backups.delete({"kind": "folder", "path": str(tmp_path / "other")})
    assert new.backups.place == place  # its own is as it was
    await new.backups.delete(place)
    assert new.backups.place is None


async def test_no_secret_is_printed(ada: TestAccount, place: dict[str, Any]) -> None:
    await ada.backups.create({**place, "password": MARKER})
    assert MARKER not in repr(state.load(ada.database))
    assert MARKER not in repr(GoogleProgram("id", MARKER))


async def test_the_ways_to_the_key(ada: TestAccount, new: TestAccount, place: dict[str, Any]) -> None:
    key = await ada.backups.create(place, "correct horse")
    assert ada.backups.recovery_key == key
    ada.write(2)
    await ada.backups.write()
    with pytest.raises(NotTheKey):
        await new.backups.restore_with_passphrase(place, "wrong horse")
    with pytest.raises(NotTheKey):
        await new.backups.restore_with_words(place, "AAAA BBBB")
    assert await new.backups.restore_with_passphrase(place, "correct horse") == 2

    legacy = wrap_with_legacy_passphrase(key, "old horse", RNG, 100_000)
    folder = folder_of(place)
    await ada.writer(folder).change_forms(lambda forms: replace(forms, passphrase=None, legacy=legacy))
    assert await new.backups.restore_with_passphrase(place, "old horse") == 0
    with pytest.raises(NotTheKey):
        await new.backups.restore_with_passphrase(place, "correct horse")
    await ada.backups.set_passphrase("new horse")
    with pytest.raises(NotTheKey):
        await new.backups.restore_with_passphrase(place, "old horse")
    assert await new.backups.restore_with_passphrase(place, "new horse") == 0
    await ada.writer(folder).change_forms(lambda forms: replace(forms, passphrase=None))
    with pytest.raises(NoSuchForm):
        await new.backups.restore_with_passphrase(place, "new horse")


def test_a_later_format_is_not_misread() -> None:
    with pytest.raises(BackupTooNew):
        histories.decode(b'{"version": 2}\n{"kind": "message"}\n')
    with pytest.raises(BackupTooNew):
        Header.decode(b'{"version": 2}')
    for data in (b"", b"[]", b"nonsense", b'{"version": 1}', b'{"version": 1, "forms": {"pin": "?"}, "index": ""}'):
        with pytest.raises(BackupDamaged):
            Header.decode(data)
    (record,) = histories.decode(b'{"version": 1, "later": 1}\n{"kind": "later", "member": 1}\n')
    assert record.line == b'{"kind": "later", "member": 1}\n'


async def test_a_folder_swaps_headers_by_comparison(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "stick")
    assert await store.header() is None
    await store.replace(b"one", (), None)
    first = await store.header()
    assert first is not None
    with pytest.raises(HeaderChanged):
        await store.replace(b"other", (), None)
    await store.replace(b"two", (), first)
    with pytest.raises(HeaderChanged):
        await store.replace(b"three", (), first)
    with pytest.raises(SegmentMissing):
        await store.get("0" * 64)
    await store.delete()
    await store.delete()
    assert await store.header() is None
    with pytest.raises(BackupUnavailable):
        await FolderStore(tmp_path / "stick" / ".lock").header()


def test_names_of_places(tmp_path: Path) -> None:
    assert parse_place("platform") == {"kind": "platform"}
    assert parse_place(f"folder:{tmp_path}") == {"kind": "folder", "path": str(tmp_path)}
    assert parse_place("google-drive") == {"kind": "google-drive"}
    dav = parse_place("webdav:https://dav.test/backup")
    assert dav == {"kind": "webdav", "url": "https://dav.test/backup"}
    with pytest.raises(NoSuchPlace):  # without a password
        open_place(dav, Connection("http://nowhere"))
    for name in ("", "folder:", "platform:x", "webdav:http://dav.test/backup", "elsewhere"):
        with pytest.raises(NoSuchPlace):
            parse_place(name)
