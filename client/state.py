"""Single values of an account under their names, as JSON."""

import json
from typing import Any

from client.storage import Database


class State:
    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, name: str) -> Any:
        """Returns None where there is none."""
        rows = self._database.rows("select value from state where name = ?", name)
        return json.loads(rows[0][0]) if rows else None

    def get(self, name: str) -> Any:
        """Raises LookupError where there is none."""
        value = self.find(name)
        if value is None:
            raise LookupError(name)
        return value

    def put(self, name: str, value: Any) -> None:
        self._database.execute(
            "insert or replace into state (name, value) values (?, ?)", name, json.dumps(value).encode()
        )

    def remove(self, name: str) -> None:
        self._database.execute("delete from state where name = ?", name)
