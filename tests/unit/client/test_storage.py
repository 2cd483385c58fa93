"""Accounts on a device: created whole or not, opened with the right key only, by one process, and nothing in clear."""

import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from client.storage import (
    AccountExists,
    AccountFolder,
    AccountFolders,
    AccountInUse,
    AccountUnknown,
    Database,
    InKeyring,
    KeyLost,
    KeyringUnavailable,
    StorageTooNew,
    WithPassphrase,
    WrongPassphrase,
)
from client.storage.schema import MIGRATIONS
from crypto.backup import Argon2Parameters
from tests.unit.client.keyrings import MemoryKeyring, no_keyring, use_keyring

CHEAP = Argon2Parameters(memory=64, time=1, lanes=1)
MARKER = "violets-are-blue"
KEY = bytes(range(32))


def passphrase(text: str) -> WithPassphrase:
    return WithPassphrase(text, CHEAP)


@pytest.fixture
def folders(tmp_path: Path) -> AccountFolders:
    return AccountFolders(tmp_path / "data")


@pytest.fixture
def memory_keyring() -> Iterator[MemoryKeyring]:
    backend = MemoryKeyring()
    with use_keyring(backend):
        yield backend


def put(database: Database, value: str) -> None:
    with database.transaction():
        database.execute("insert or replace into state values ('it', ?)", value.encode())


def put_and_fail(database: Database) -> None:
    database.execute("update state set value = 'after'")
    raise ZeroDivisionError


def get(database: Database) -> str | None:
    rows = database.rows("select value from state where name = 'it'")
    return rows[0][0].decode() if rows else None


def test_several_accounts_each_with_its_own_key(folders: AccountFolders, memory_keyring: MemoryKeyring) -> None:
    for name, protection in (("ada@one.example", passphrase("open sesame")), ("bob", InKeyring())):
        database = folders.create(name, protection)
        put(database, f"of {name}")
        database.close()
    assert folders.list() == [AccountFolder("ada@one.example", True), AccountFolder("bob", False)]

    ada, bob = folders.open("ada@one.example", "open sesame"), folders.open("bob")
    assert (get(ada), get(bob)) == ("of ada@one.example", "of bob")
    ada.close()
    bob.close()
    assert len(memory_keyring.kept) == 1


def test_a_wrong_passphrase_or_none_opens_nothing(folders: AccountFolders) -> None:
    folders.create("ada", passphrase("open sesame")).close()
    for wrong in ("open barley", "", None):
        with pytest.raises(WrongPassphrase):
            folders.open("ada", wrong)
    with pytest.raises(AccountUnknown):
        folders.open("bob", "open sesame")
    with pytest.raises(ValueError):
        folders.open("../ada", "open sesame")


def test_no_keyring_leaves_nothing_behind(folders: AccountFolders, tmp_path: Path) -> None:
    with use_keyring(no_keyring()), pytest.raises(KeyringUnavailable):
        folders.create("ada", InKeyring())
    assert folders.list() == []
    assert list((tmp_path / "data").iterdir()) == []


def test_an_account_that_cannot_be_filled_is_not_there(folders: AccountFolders, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        folders.create("ada", passphrase("one"), put_and_fail)
    assert list((tmp_path / "data").iterdir()) == []
    database = folders.create("ada", passphrase("one"), lambda database: put(database, "filled"))
    assert get(database) == "filled"
    database.close()


def test_an_account_that_is_there_is_not_created_again(folders: AccountFolders) -> None:
    database = folders.create("ada", passphrase("one"))
    put(database, "kept")
    database.close()
    with pytest.raises(AccountExists):
        folders.create("ada", passphrase("two"))
    assert get(folders.open("ada", "one")) == "kept"


def test_a_lost_key_is_said(folders: AccountFolders, memory_keyring: MemoryKeyring, tmp_path: Path) -> None:
    folders.create("ada", InKeyring()).close()
    ((service, label),) = memory_keyring.kept
    memory_keyring.set_password(service, label, "AAAA")
    with pytest.raises(KeyLost):
        folders.open("ada")
    memory_keyring.kept.clear()
    with pytest.raises(KeyLost):
        folders.open("ada")
    for damaged in (b"", b"[]", b"{}", b'{"protection": "passphrase", "wrapped": "AAAA"}', b'{"protection": "x"}'):
        (tmp_path / "data/ada/key.json").write_bytes(damaged)
        with pytest.raises(KeyLost):
            folders.open("ada", "x")


def test_the_protection_changes_and_the_messages_stay(folders: AccountFolders, memory_keyring: MemoryKeyring) -> None:
    database = folders.create("ada", passphrase("one"))
    put(database, "kept")
    database.close()
    with pytest.raises(WrongPassphrase):
        folders.protect("ada", "two", InKeyring())
    for before, protection, after in (
        ("one", InKeyring(), None),
        (None, InKeyring(), None),  # a new entry
        (None, passphrase("three"), "three"),
    ):
        folders.protect("ada", before, protection)
        database = folders.open("ada", after)
        assert get(database) == "kept"
        database.close()
        assert len(memory_keyring.kept) == (after is None)


def test_deleting_removes_the_key_and_the_files(
    folders: AccountFolders, memory_keyring: MemoryKeyring, tmp_path: Path
) -> None:
    folders.create("ada", InKeyring()).close()
    folders.delete("ada")
    assert (folders.list(), memory_keyring.kept, list((tmp_path / "data").iterdir())) == ([], {}, [])
    with pytest.raises(AccountUnknown):
        folders.delete("ada")


def test_only_the_owner_can_read_the_files(folders: AccountFolders, tmp_path: Path) -> None:
    folders.create("ada", passphrase("one")).close()
    assert [oct(path.stat().st_mode & 0o077) for path in (tmp_path / "data", tmp_path / "data/ada")] == ["0o0", "0o0"]
    assert (tmp_path / "data/ada/key.json").stat().st_mode & 0o077 == 0


def test_nothing_on_disk_is_in_clear(folders: AccountFolders, tmp_path: Path) -> None:
    database = folders.create("ada", passphrase("open sesame"))
    put(database, MARKER * 1_000)  # more than a page, and the journal is still there
    files = list((tmp_path / "data/ada").iterdir())
    assert len(files) >= 3
    for path in files:
        content = path.read_bytes()
        assert MARKER.encode() not in content
        assert b"SQLite format" not in content
        assert b"sesame" not in content
    database.close()


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    database = Database(tmp_path / "account.db", KEY)
    with pytest.raises(AccountInUse):
        Database(tmp_path / "account.db", KEY)
    database.close()
    Database(tmp_path / "account.db", KEY).close()


def test_another_key_or_a_damaged_file_opens_nothing(tmp_path: Path) -> None:
    path = tmp_path / "account.db"
    Database(path, KEY).close()
    with pytest.raises(KeyLost):
        Database(path, bytes(32))
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(KeyLost):
        Database(path, KEY)


def test_migrations_are_applied_once_and_newer_ones_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "account.db"
    Database(path, KEY).close()
    newer = (*MIGRATIONS, ("create table later (a)", "insert into later values (1)"))
    for _ in range(2):
        database = Database(path, KEY, migrations=newer)
        assert database.rows("select a from later") == [(1,)]
        database.close()
    with pytest.raises(StorageTooNew):
        Database(path, KEY)


def test_a_transaction_that_raises_changes_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path / "account.db", KEY)
    put(database, "before")
    with pytest.raises(ZeroDivisionError), database.transaction():
        put_and_fail(database)
    assert get(database) == "before"
    database.close()


def test_a_killed_process_leaves_what_it_committed(tmp_path: Path) -> None:
    program = f"""
    import sys
    from pathlib import Path
    from client.storage import Database
    database = Database(Path({str(tmp_path / "account.db")!r}), bytes(range(32)))
    with database.transaction():
        database.execute("insert into state values ('it', ?)", b"committed")
    with database.transaction():
        database.execute("update state set value = ?", b"not committed" * 10_000)
        print("now", flush=True)
        sys.stdin.read()
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"now\n"
        process.send_signal(signal.SIGKILL)
    database = Database(tmp_path / "account.db", KEY)
    assert get(database) == "committed"
    database.close()
