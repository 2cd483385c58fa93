"""Logs SQL statements with the trace id of what they run for: slow ones always, all of them at level DEBUG.

A comment with the trace id in the statement itself would make every statement a new one to prepare, and a setting of
the transaction would cost a round trip. `backend` is the process id that Postgres's own log and pg_stat_activity name.
"""

import logging
import time
from contextlib import suppress
from typing import Protocol

import asyncpg

from cluster.logs import is_logged, logger
from cluster.metrics import Counter

SLOW_S = 0.25

SLOW = Counter("entativa_slow_sql_statements_total", "SQL statements that took a quarter of a second or longer")

_MAX_CHARACTERS = 200

log = logger(__name__)


class Connection(Protocol):
    """What is asked of a connection."""

    def get_server_pid(self) -> int: ...


def finished(connection: Connection, sql: str, begun: float) -> None:
    """Notes that a statement that began at `begun` (`time.perf_counter`) has ended, be it by an error. Arguments are
    not logged: they may be personal data."""
    seconds = time.perf_counter() - begun
    if seconds >= SLOW_S:
        SLOW.inc()
        log.warning("sql.slow", **_fields(connection, sql, seconds))
    elif is_logged(logging.DEBUG):
        log.debug("sql", **_fields(connection, sql, seconds))


def _fields(connection: Connection, sql: str, seconds: float) -> dict[str, str | float]:
    statement = " ".join(sql.split())[:_MAX_CHARACTERS]
    fields: dict[str, str | float] = {"statement": statement, "ms": round(seconds * 1000, 2)}
    with suppress(asyncpg.InterfaceError):  # the connection was lost, and the pool has taken it back
        fields["backend"] = connection.get_server_pid()
    return fields
