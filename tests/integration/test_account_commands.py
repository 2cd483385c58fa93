"""`entativa accounts`: what its commands do and print."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deployments.cli import app
from deployments.error_messages import error_message
from features.errors import DomainError
from tests.support.environment import PASSWORD, Environment

Run = Callable[..., Awaitable[tuple[int, str]]]


@pytest.fixture
def run(entativa: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `entativa accounts` with a username, on the storage of the environment. Returns its exit code and output."""
    addresses = {name: secret.get_secret_value() for name, secret in entativa.settings.databases.items()}
    monkeypatch.setenv("ENTATIVA_HOME", str(tmp_path))
    monkeypatch.setenv("ENTATIVA_DATABASES", json.dumps(addresses))
    monkeypatch.setenv("ENTATIVA_REDIS_URL", entativa.settings.redis_url.get_secret_value())

    async def run_command(command: str, username: str = "ada", brand: str = "entativa") -> tuple[int, str]:
        # In a thread of its own, since a command has its own event loop.
        result = await asyncio.to_thread(CliRunner().invoke, app, ["accounts", command, brand, username])
        if isinstance(result.exception, DomainError):
            return result.exit_code, error_message(result.exception, command)
        return result.exit_code, result.output

    return run_command


async def _printed(run: Run, command: str, username: str = "ada") -> list[dict[str, Any]]:
    code, output = await run(command, username)
    assert code == 0, output
    return [json.loads(line) for line in output.splitlines()]


async def test_an_operator_suspends_and_ends_it(entativa: Environment, run: Run) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    active = {"id": ada.id, "state": "active", "deletes_at": None, "resumes_as": None}
    assert await _printed(run, "show", "Ada") == [active]
    assert await _printed(run, "suspend") == [active | {"state": "suspended", "resumes_as": "active"}]
    assert (await bob.get("/profiles/ada")).status_code == 404
    assert (await ada.get("/profiles/me")).status_code == 401
    assert await run("suspend") == (1, "The account is suspended.")
    assert await _printed(run, "unsuspend") == [active]
    assert (await bob.get("/profiles/ada")).status_code == 200
    assert await run("unsuspend") == (1, "The account is active.")
    assert await run("suspend", "nobody") == (1, "There is no such account.")
    code, output = await run("show", brand="somebody")
    assert (code, "there is no brand" in output) == (2, True)


async def test_a_requested_deletion_is_shown_with_its_time(entativa: Environment, run: Run) -> None:
    ada = await entativa.member("ada")
    answer = (await ada.post("/account/delete", json={"password": PASSWORD})).json()
    (shown,) = await _printed(run, "show")
    assert (shown["state"], shown["deletes_at"][:19]) == ("deleting", answer["deletes_at"][:19])


async def test_an_export_is_a_line_for_each_row(entativa: Environment, run: Run) -> None:
    ada = await entativa.member("ada")
    await ada.post("/posts", json={"text": "On my way to #lisbon"})
    lines = await _printed(run, "export")
    assert [line["row"]["text"] for line in lines if line["table"] == "posts"] == ["On my way to #lisbon"]
    assert [line["row"]["email"] for line in lines if line["table"] == "accounts"] == ["ada@example.org"]
