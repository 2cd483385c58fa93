"""Which SQL statements the code sends during a test."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from cluster import postgres
from tests.support.statements import PACKAGES, VERBS, unknown

_OURS = tuple(f"{Path(__file__).parents[2] / package}/" for package in PACKAGES)
"""The operator of PINs is none of them: it has a database of its own."""
_BETWEEN = (str(Path(asyncpg.__file__).parent), postgres.__file__)
"""Where the frames are that lie between whoever asks for a statement and the connection."""
_ASYNCPGS_OWN = ("_introspect_types", "_introspect_type", "set_type_codec")
"""The functions of asyncpg that ask Postgres about types, in statements of asyncpg's own."""


@contextmanager
def statements_on_record() -> Iterator[None]:
    """Fails if a statement was sent that later schemas would not be tried with
    (tests/integration/test_former_versions.py). Those of tests do not count."""
    sent: set[str] = set()
    connection: Any = asyncpg.Connection
    get_statement, execute = connection._get_statement, connection.execute

    def note(sql: str) -> None:
        if sql.lstrip().lower().startswith(VERBS) and _asked_by_the_code():
            sent.add(sql)

    # All ways to send a statement lead through one of these two, those of pools and cursors, too.
    async def noting_get_statement(self: Any, query: str, *arguments: Any, **options: Any) -> Any:
        note(query)
        return await get_statement(self, query, *arguments, **options)

    async def noting_execute(self: Any, query: str, *arguments: Any, **options: Any) -> Any:
        note(query)
        return await execute(self, query, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection, "_get_statement", noting_get_statement)
        patch.setattr(connection, "execute", noting_execute)
        yield
    for sql in unknown(sent):
        pytest.fail(f"built where it runs, have the module hold it (tests/support/statements.py): {sql}")


def _asked_by_the_code() -> bool:
    frame = sys._getframe(1)
    while (caller := frame.f_back) is not None:
        frame = caller
        file, function = frame.f_code.co_filename, frame.f_code.co_name
        if function in _ASYNCPGS_OWN:
            return False
        if file != __file__ and not file.startswith(_BETWEEN):
            return file.startswith(_OURS)
    return False
