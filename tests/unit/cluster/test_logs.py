"""Every line of a process is JSON that names its module, its process and its trace."""

import asyncio
import json
from collections.abc import Callable, Iterator

import asyncpg
import pytest
import structlog
from fastapi.exceptions import ResponseValidationError
from pydantic import BaseModel, ValidationError

from cluster.logs import configure_logs, logger
from cluster.trace import start_trace


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def _lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_lines_name_module_brand_and_process(capsys: pytest.CaptureFixture[str]) -> None:
    before = structlog.get_logger("actors.runtime.hosting.host")  # as modules do, when they are imported
    configure_logs(brand="vignette", process="host-0")
    before.info("host.started", host="host-0.1")
    logger("cluster.outbox").warning("late")
    first, second = _lines(capsys)
    assert (first["module"], first["brand"], first["process"]) == (
        *("actors.runtime.hosting.host", "vignette", "host-0"),
    )
    assert (first["level"], first["event"], first["host"]) == ("info", "host.started", "host-0.1")
    assert (second["module"], second["brand"], second["level"]) == ("cluster.outbox", "vignette", "warning")


def test_values_of_rows_stay_out_of_logs(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs()
    refused = asyncpg.UniqueViolationError('duplicate key value violates unique constraint "accounts_email"')
    refused.detail = "Key (email)=(ada@example.org\n\nsecret) already exists."
    refused.hint = "Choose another."
    try:
        try:
            raise refused
        except asyncpg.UniqueViolationError as error:
            raise RuntimeError("sign-up failed") from error
    except RuntimeError as error:
        logger("m").error("unexpected error", exc_info=error)
    (line,) = _lines(capsys)
    assert "ada@example.org" not in line["exception"]
    assert "secret" not in line["exception"]
    for kept in ("accounts_email", "Choose another.", "RuntimeError: sign-up failed"):
        assert kept in line["exception"]


ADDRESS = "ada@example.org"


class _Row(BaseModel):
    number: int


@pytest.mark.parametrize(
    "fail",
    [
        lambda: _Row.model_validate({"number": ADDRESS}),
        lambda: _wrong_response(ADDRESS),
    ],
)
def test_invalid_values_stay_out_of_logs(fail: Callable[[], object], capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs()
    try:
        fail()
    except (ValidationError, ResponseValidationError) as error:
        logger("m").error("unexpected error", exc_info=error)
    (line,) = _lines(capsys)
    assert ADDRESS not in line["exception"]
    assert "number" in line["exception"]


def _wrong_response(value: str) -> None:
    raise ResponseValidationError([{"type": "int_type", "loc": ("number",), "msg": "No number", "input": value}])


def test_the_level_counts(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("WARNING")
    structlog.get_logger("m").info("hidden")
    structlog.get_logger("m").warning("shown")
    assert [line["event"] for line in _lines(capsys)] == ["shown"]
    with pytest.raises(KeyError):
        configure_logs("LOUD")


async def test_fields_reach_tasks_that_were_started_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    """Ray runs each method of an actor in a context of its own, none of which sees what another has set."""

    async def constructor() -> None:
        configure_logs(brand="entativa", process="coordinator-0")
        start_trace("00-" + "ab" * 16 + "-" + "cd" * 8 + "-01")

    await asyncio.create_task(constructor())
    structlog.get_logger("m").info("from another context")
    (line,) = _lines(capsys)
    assert (line["brand"], line["process"]) == ("entativa", "coordinator-0")
    assert "trace_id" not in line
