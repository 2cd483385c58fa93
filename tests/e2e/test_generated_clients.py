"""Clients generated from the OpenAPI documents of both brands compile and do the main job, and the documents pass the
recommended rules of Spectral. tests/clients/ has the programs and the tools' versions; generated code is not kept."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from brands.catalogue import BRANDS
from tests.e2e.people import mailed_code
from tests.e2e.running import RunningPlatform
from tests.support.node import NODE, npm_ci

ROOT = Path(__file__).parents[2]
CLIENTS = ROOT / "tests" / "clients"
MODULES = CLIENTS / "node_modules"


@pytest.fixture(params=sorted(BRANDS))
def brand(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def document(platform: RunningPlatform, brand: str, tmp_path: Path) -> Path:
    """A file with the document of a brand."""
    path = tmp_path / "document.json"
    path.write_bytes(httpx.get(f"{platform.address(brand)}/openapi.json", timeout=60).raise_for_status().content)
    return path


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """openapi-python-client, in an environment of its own."""
    environment = tmp_path_factory.mktemp("client_generator")
    uv = Path(sys.executable).with_name("uv")
    _succeed(uv, "venv", "--quiet", "--clear", "--python", sys.executable, environment)
    requirements = ROOT / "requirements" / "client_generator.txt"
    python = environment / "bin" / "python"
    _succeed(uv, "pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", requirements)
    return environment / "bin" / "openapi-python-client"


def _succeed(*command: str | Path, folder: Path | None = None) -> None:
    """Runs a command, which must succeed."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


@contextmanager
def _program(*command: str | Path, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """A program that is killed if it does not end. Its errors are in a file `errors`."""
    with (
        (folder / "errors").open("w") as errors,
        subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        try:
            yield process
            process.wait(60)
        finally:
            process.kill()


def _main_job(platform: RunningPlatform, *command: str | Path, folder: Path) -> None:
    """Runs a program that writes the addresses of mails and reads the codes in them. It must succeed."""
    mails = 0
    with _program(*command, folder=folder) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for email in process.stdout:
            process.stdin.write(f"{mailed_code(platform, email.strip())}\n")
            process.stdin.flush()
            mails += 1
    assert (process.returncode, mails) == (0, 2), (folder / "errors").read_text()


def _add_program(folder: Path, language: str, document: Path) -> None:
    """Copies the main job in a language, with the way in which people connect on the document's brand."""
    suffix = {"python": "py", "typescript": "ts"}[language]
    ties = "friends" if "/v1/friends" in json.loads(document.read_text())["paths"] else "follows"
    shutil.copy(CLIENTS / language / f"main_job.{suffix}", folder)
    shutil.copy(CLIENTS / language / f"{ties}.{suffix}", folder / f"connect.{suffix}")


def _operations(document: Path) -> list[dict[str, Any]]:
    methods = json.loads(document.read_text())["paths"].values()
    return [operation for each in methods for operation in each.values()]


def test_a_document_passes_all_recommended_rules(document: Path) -> None:
    npm_ci(CLIENTS)
    spectral = MODULES / "@stoplight" / "spectral-cli" / "dist" / "index.js"
    _succeed(NODE, spectral, "lint", "--ruleset", CLIENTS / "spectral.yaml", "--fail-severity", "hint", document)


def test_a_python_client_does_the_main_job(
    platform: RunningPlatform, brand: str, document: Path, generator: Path, tmp_path: Path
) -> None:
    options = ("--meta", "none", "--fail-on-warning", "--config", CLIENTS / "python" / "generator.yaml")
    _succeed(generator, "generate", "--path", document, *options, "--output-path", tmp_path / "api_client")

    generated = {path.stem for path in (tmp_path / "api_client" / "api").glob("*/*.py")} - {"__init__"}
    assert generated == {operation["operationId"] for operation in _operations(document)}

    _add_program(tmp_path, "python", document)
    _succeed(sys.executable, "-m", "mypy", "--strict", "main_job.py", "api_client", folder=tmp_path)
    _main_job(platform, sys.executable, "main_job.py", platform.address(brand), folder=tmp_path)


def test_a_typescript_client_does_the_main_job(
    platform: RunningPlatform, brand: str, document: Path, tmp_path: Path
) -> None:
    npm_ci(CLIENTS)
    generate = MODULES / "openapi-typescript" / "bin" / "cli.js"
    # Without the option, what has a default would be required in request bodies.
    options = ("--default-non-nullable", "false", "--output", tmp_path / "document.ts")
    _succeed(NODE, generate, document, *options, folder=CLIENTS)

    _add_program(tmp_path, "typescript", document)
    for name in ("package.json", "tsconfig.json"):
        shutil.copy(CLIENTS / name, tmp_path)
    (tmp_path / "node_modules").symlink_to(MODULES)
    _succeed(NODE, MODULES / "typescript" / "bin" / "tsc", "--project", tmp_path)
    _main_job(platform, NODE, "main_job.ts", platform.address(brand), folder=tmp_path)
