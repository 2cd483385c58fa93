"""Unit tests need no services: connecting a socket or starting Ray is an error here."""

import socket
from typing import Any

import pytest
import ray


@pytest.fixture(autouse=True)
def _no_services(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a unit test may not use sockets or Ray")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(ray, "init", refuse)
