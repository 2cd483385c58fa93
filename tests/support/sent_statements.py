"""Which SQL statements the code sends during a test."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cluster.statement_log import finished
from tests.support.statements import unknown

_TESTS = str(Path(__file__).parents[1])
_CALLER = 3
"""Frames from `finished` to whoever called a method of the unit of work: `_run` and the method are between."""


@contextmanager
def statements_on_record() -> Iterator[None]:
    """Fails if a unit of work sent a statement that later schemas would not be tried with
    (tests/integration/test_former_versions.py). Those of tests do not count."""
    sent: set[str] = set()

    def note(connection: Any, sql: str, begun: float) -> None:
        if not sys._getframe(_CALLER).f_code.co_filename.startswith(_TESTS):
            sent.add(sql)
        finished(connection, sql, begun)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cluster.postgres.finished", note)
        yield
    for sql in unknown(sent):
        pytest.fail(f"built where it runs, have the module hold it (tests/support/statements.py): {sql}")
