"""Benchmarks that break things fail if there was nothing to break."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import psutil
import pytest

from benchmarks import due, toggles


@contextmanager
def _processes(title: str) -> Iterator[tuple[psutil.Process, Any]]:
    """A process with a child of this title, in place of Ray, and what finds it."""
    command = f"(exec -a {title} sleep 600) & wait; sleep 600"
    with subprocess.Popen(["bash", "-c", command], start_new_session=True) as started:
        root = psutil.Process(started.pid)
        try:
            while not any(title in child.cmdline() for child in root.children()):
                time.sleep(0.01)
            yield root, cast(Any, SimpleNamespace(find=lambda _name: root))
        finally:
            os.killpg(started.pid, signal.SIGKILL)


def test_entity_hosts_are_killed_by_their_title() -> None:
    with _processes("ray::ShardHost:1") as (root, processes):
        [host] = root.children()
        toggles._kill_hosts(processes)
        host.wait(60)


def test_without_a_host_that_can_be_killed_there_is_no_figure() -> None:
    with _processes("ray::Coordinator") as (root, processes):
        with pytest.raises(RuntimeError, match="no entity host"):
            toggles._kill_hosts(processes, 0.2)
        assert root.children()


async def test_what_ended_a_reader_is_raised() -> None:
    async def read_on() -> None:
        await asyncio.Event().wait()

    async def fail() -> None:
        raise ConnectionError

    reading = [asyncio.create_task(read_on()), asyncio.create_task(fail())]
    await asyncio.sleep(0)
    with pytest.raises(ConnectionError):
        await due._end(reading)
    assert all(task.done() for task in reading)
    await due._end([asyncio.create_task(read_on())])
