"""SQL statements in the logs: slow ones with the trace that they belong to."""

from __future__ import annotations

from collections.abc import Iterator

import asyncpg
import orjson
import pytest
import structlog

from cluster import statement_log
from cluster.logs import configure_logs
from cluster.postgres import connect_database
from cluster.trace import resume_trace

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture(autouse=True)
def _logs() -> Iterator[None]:
    yield
    configure_logs()
    structlog.reset_defaults()


async def _lines(address: str, capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    """Runs a statement in a trace, and another one that fails. Returns the lines about SQL."""
    resume_trace(TRACE)
    async with connect_database(address) as database, database.unit_of_work() as uow:
        assert await uow.fetchval("select  length($1)\n", "ada@example.org") == 15
        with pytest.raises(asyncpg.DivisionByZeroError):
            await uow.fetchval("select 1 / $1::int", 0)
    lines = [orjson.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"].startswith("sql")]


async def test_slow_statements_are_logged_with_their_trace_and_without_their_arguments(
    database_address: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure_logs()
    assert await _lines(database_address, capsys) == []
    monkeypatch.setattr(statement_log, "SLOW_S", 0.0)
    lines = await _lines(database_address, capsys)
    assert [(line["event"], line["statement"]) for line in lines] == [
        ("sql.slow", "select length($1)"),
        ("sql.slow", "select 1 / $1::int"),
    ]
    for line in lines:
        assert line["trace_id"] == TRACE[3:35]
        assert isinstance(line["backend"], int)
        assert "ada" not in str(line)


async def test_at_level_debug_all_statements_are_logged(
    database_address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs("DEBUG")
    lines = await _lines(database_address, capsys)
    assert [line["statement"] for line in lines] == ["select length($1)", "select 1 / $1::int"]


async def test_a_slow_statement_whose_connection_is_lost_raises_what_it_raised(
    database_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statement_log, "SLOW_S", 0.0)
    async with connect_database(database_address) as database, database.unit_of_work() as uow:
        with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.AdminShutdownError)):
            await uow.fetchval("select pg_terminate_backend(pg_backend_pid())")
