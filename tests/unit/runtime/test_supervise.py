"""Background tasks: what their ends lead to."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import io
import logging
import os
import subprocess
import sys

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from actors.runtime import supervise
from actors.runtime.supervise import BackgroundTasks, end_process


@pytest.fixture(autouse=True)
def _no_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "_EXIT_DELAY_SECONDS", 0.0)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def failures(name: str) -> float:
    return REGISTRY.get_sample_value("entativa_background_task_failures_total", {"task": name}) or 0.0


async def fail() -> None:
    raise OSError("too many connections")


async def end() -> None:
    pass


async def await_what_is_cancelled() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


async def forever() -> None:
    await asyncio.Event().wait()


async def test_a_failure_is_logged_and_counted_and_the_process_lives() -> None:
    exits: list[int] = []
    tasks = BackgroundTasks(lambda: exits.append(1))
    before = failures("optional")
    with capture_logs() as logs:
        tasks.spawn("optional", fail())
        await settle()
    assert [(entry["event"], entry["task"]) for entry in logs] == [("background_task.failed", "optional")]
    assert failures("optional") == before + 1
    assert not exits
    assert not tasks.failed
    assert not len(tasks)


@pytest.mark.parametrize("main", [fail, end, await_what_is_cancelled])
async def test_the_end_of_a_critical_task_ends_the_process_however_it_ends(main: object) -> None:
    exits: list[int] = []
    tasks = BackgroundTasks(lambda: exits.append(1))
    with capture_logs() as logs:
        tasks.spawn("main", main(), critical=True)  # type: ignore[operator]
        await settle()
    assert exits == [1]
    assert tasks.failed
    assert {"event": "process.exits", "because_of": "main", "log_level": "critical"} in logs


async def test_closing_cancels_all_and_ends_no_process() -> None:
    exits: list[int] = []
    tasks = BackgroundTasks(lambda: exits.append(1))
    started = [tasks.spawn("main", forever(), critical=True), tasks.spawn("optional", forever())]
    await settle()
    gc.collect()
    assert len(tasks) == 2
    await tasks.close()
    assert all(task.cancelled() for task in started)
    await settle()
    assert not exits
    assert not len(tasks)


def test_a_process_whose_critical_task_fails_really_ends() -> None:
    program = """
import asyncio
from actors.runtime.supervise import BackgroundTasks

async def fail():
    raise OSError("too many connections")

async def main():
    BackgroundTasks().spawn("main", fail(), critical=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert b"too many connections" in ended.stdout + ended.stderr


def test_the_process_ends_even_if_its_output_cannot_be_flushed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(io.StringIO):
        def flush(self) -> None:
            raise BrokenPipeError("nobody reads")

    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.setattr(logging, "shutdown", lambda: None)
    monkeypatch.setattr(sys, "stdout", Closed())
    with contextlib.suppress(BrokenPipeError):  # os._exit does not return, its stand-in does
        end_process()
    assert ended == [1]
