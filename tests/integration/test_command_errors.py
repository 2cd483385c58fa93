"""A command that fails says one sentence with the way out; traces are for --debug."""

import sys
from pathlib import Path

import httpx
import pytest

from brands.catalogue import BRANDS
from cluster.local.processes import ServiceError, free_port
from cluster.node.settings import Ports
from deployments import cli
from deployments.error_messages import error_message


def run(monkeypatch: pytest.MonkeyPatch, home: Path, *arguments: str, ports: dict[str, str] | None = None) -> int:
    """Runs the command line in an installation where nothing runs. Returns its exit code."""
    monkeypatch.setenv("ENTATIVA_HOME", str(home))
    for name in ("ENTATIVA_DATABASES", "ENTATIVA_REDIS_URL", "ENTATIVA_SMTP_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in Ports.model_fields:
        monkeypatch.setenv(f"ENTATIVA_{name.upper()}", (ports or {}).get(name, str(free_port())))
    monkeypatch.setattr(sys, "argv", ["entativa", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize(
    "command",
    [
        ["demo"],
        ["migrate"],
        ["dead-letters", "list", "entativa"],
        ["events", "lag", "vignette"],
        ["accounts", "show", "entativa", "ada"],
    ],
)
def test_a_platform_that_does_not_run_is_one_sentence(
    command: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, tmp_path, *command) == 1
    shown = capfd.readouterr().err
    assert "Traceback" not in shown
    [sentence] = [line for line in shown.splitlines() if line.startswith("error")]
    assert "Postgres or Redis does not answer" in sentence
    assert "entativa doctor" in sentence


def test_the_trace_is_for_those_who_ask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cli, "_debug", False)
    with pytest.raises(ConnectionRefusedError):
        run(monkeypatch, tmp_path, "--debug", "migrate")


def test_a_wrong_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, tmp_path, "status", ports={"http_port": "eighty"}) == 1
    assert "ENTATIVA_HTTP_PORT: input should be a valid integer" in capfd.readouterr().err


def test_an_unknown_brand_is_told_which_there_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, tmp_path, "dead-letters", "list", "facebook") == 2
    assert f"the brands are {', '.join(BRANDS)}" in capfd.readouterr().err


def test_long_lines_are_not_broken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    port = str(free_port())
    assert run(monkeypatch, tmp_path, "status", ports={"http_port": port}) == 1
    brand = f"http://127.0.0.1:{port}/entativa"
    assert f"{brand}   docs: {brand}/docs\n" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ServiceError("stop that program"), "stop that program"),
        (FileNotFoundError(2, "No such file or directory", "nofile.yaml"), "nofile.yaml: No such file or directory"),
        (httpx.ConnectError("refused"), "'entativa doctor' says what is wrong"),
        (ZeroDivisionError("by zero\nand more"), "unexpected ZeroDivisionError (by zero): 'entativa --debug up'"),
    ],
)
def test_each_error_is_one_line(error: Exception, says: str) -> None:
    message = error_message(error, "up")
    assert says in message
    assert "\n" not in message
