"""A configuration is deployed although the dashboard ends a connection; it is refused at once where nothing listens."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from cluster.local.processes import ServiceError, free_port
from cluster.node.serve_api import ServeApi
from cluster.node.settings import NodeSettings

_ACCEPTED = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass
class _Node:
    """What is asked of a node's settings."""

    dashboard: str
    folder: Path

    @property
    def ray_token_file(self) -> Path:
        return self.folder / "token"


def _serve_api(port: int, folder: Path) -> ServeApi:
    (folder / "token").write_text("secret")
    return ServeApi(cast(NodeSettings, _Node(f"http://127.0.0.1:{port}", folder)))


@contextmanager
def _dashboard(answers: list[bytes]) -> Iterator[tuple[int, list[Any]]]:
    """Gives each connection the next answer, nothing for b"". Yields the port, and what was asked."""
    asked: list[Any] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            for answer in answers:
                connection, _ = server.accept()
                with connection:
                    asked.append(connection.recv(65536))
                    connection.sendall(answer)

        thread = threading.Thread(target=run)
        thread.start()
        yield server.getsockname()[1], asked
        thread.join()


def test_a_connection_that_is_cut_is_made_again(tmp_path: Path) -> None:
    with _dashboard([b"", b"", _ACCEPTED]) as (port, asked):
        _serve_api(port, tmp_path).deploy({"applications": []})
    assert len(asked) == 3
    assert all(request.startswith(b"PUT /api/serve/applications/") for request in asked)


def test_a_dashboard_that_always_cuts_is_given_up(tmp_path: Path) -> None:
    with _dashboard([b"", b""]) as (port, _), pytest.raises(ServiceError, match="Ray does not answer"):
        _serve_api(port, tmp_path).deploy({"applications": []}, timeout_s=0.2)


def test_where_nothing_listens_nobody_waits(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="Ray does not answer"):
        _serve_api(free_port(), tmp_path).deploy({"applications": []}, timeout_s=3600)
