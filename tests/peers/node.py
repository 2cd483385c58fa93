"""Runs a Node driver of this folder and speaks its line protocol (line_protocol.mjs)."""

from __future__ import annotations

import base64
import json
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.node import NODE, npm_ci

HERE = Path(__file__).parent


class PeerError(Exception):
    """The peer refused an operation; `name` is its error class."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name


class PeerDied(Exception):
    """The driver process ended; the message carries what it said."""


class NodePeer:
    """One driver process. Use it as a context manager.

    driver: file name of the driver in this folder.
    """

    def __init__(self, driver: str) -> None:
        npm_ci(HERE)
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
