"""One account's database: SQLite encrypted by SQLCipher, pages, journal and index alike."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlcipher3 import dbapi2

from client.storage.errors import AccountInUse, KeyLost, StorageTooNew
from client.storage.schema import MIGRATIONS


class Database:
    """An open account. One process at a time; not safe for several threads.

    What a transaction has committed is on disk, also after a loss of power: message keys that were used must never come
    back.
    """

    def __init__(self, path: Path, key: bytes, *, migrations: Sequence[Sequence[str]] = MIGRATIONS) -> None:
        """Opens or creates the file. `key`: 32 bytes. Raises AccountInUse, KeyLost or StorageTooNew."""
        self.path = path
        self._connection = dbapi2.connect(str(path), isolation_level=None, timeout=0)
        try:
            self._open(key, migrations)
        except BaseException:
            self._connection.close()
            raise

    def _open(self, key: bytes, migrations: Sequence[Sequence[str]]) -> None:
        execute = self._connection.execute
        execute(f"pragma key = \"x'{key.hex()}'\"")
        try:
            execute("pragma locking_mode = exclusive")
            execute("pragma journal_mode = wal")
            execute("pragma synchronous = full")
            execute("pragma secure_delete = on")
            execute("pragma foreign_keys = on")
            with self.transaction():
                (version,) = execute("pragma user_version").fetchone()
                if version > len(migrations):
                    raise StorageTooNew("a newer version of this program wrote this account: update")
                for statements in migrations[version:]:
                    for statement in statements:
                        execute(statement)
                execute(f"pragma user_version = {len(migrations)}")
        except dbapi2.OperationalError as error:
            if "locked" in str(error):
                raise AccountInUse("another process has this account open") from error
            raise
        except dbapi2.DatabaseError as error:
            raise KeyLost("the key does not open this account, or its file is damaged") from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside happens, or nothing. Not nested."""
        self._connection.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._connection.execute("rollback")
            raise
        self._connection.execute("commit")

    def execute(self, statement: str, *parameters: object) -> int:
        """Executes a statement. Returns how many rows it changed."""
        count: int = self._connection.execute(statement, parameters).rowcount
        return count

    def insert(self, statement: str, *parameters: object) -> int:
        """Executes an insert. Returns the row's number."""
        number: int = self._connection.execute(statement, parameters).lastrowid
        return number

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """All rows that a query finds."""
        found: list[tuple[Any, ...]] = self._connection.execute(query, parameters).fetchall()
        return found

    def close(self) -> None:
        """Closes the file. A second call does nothing."""
        self._connection.close()
