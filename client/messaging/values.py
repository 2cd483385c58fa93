"""Single values of a device under their names, as bytes."""

from client.storage import Database


class Values:
    """Callers hold the transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> bytes | None:
        rows = self._database.rows("select value from state where name = ?", name)
        return rows[0][0] if rows else None

    def put(self, name: str, value: bytes) -> None:
        self._database.execute("insert or replace into state (name, value) values (?, ?)", name, value)
