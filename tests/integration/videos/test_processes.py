"""ffmpeg runs within limits, and never longer than who runs it."""

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import replace

import psutil
import pytest

from features.videos.jobs import JobLost
from features.videos.model import Unplayable
from features.videos.policy import VideoPolicy
from features.videos.processes import run_limited

POLICY = VideoPolicy()
PYTHON = [sys.executable, "-S", "-c"]


async def test_what_is_printed_is_returned() -> None:
    assert await run_limited([*PYTHON, "print(1)"], POLICY) == b"1\n"


@pytest.mark.parametrize(
    ("program", "policy"),
    [
        ("import sys; sys.exit(1)", POLICY),
        ("while True: pass", replace(POLICY, job_cpu_s=1)),
        ("bytes(10**9)", replace(POLICY, job_memory=500_000_000)),
        ("import time; time.sleep(600)", replace(POLICY, job_timeout_s=1)),
        ("open('/tmp/entativa-test-output', 'wb').write(bytes(2_000_000))", replace(POLICY, job_output=1_000_000)),
        ("while True: print('x' * 1_000_000)", POLICY),
    ],
    ids=["fails", "CPU", "memory", "time", "output", "prints"],
)
async def test_what_exceeds_a_limit_ends_as_a_broken_file_would(program: str, policy: VideoPolicy) -> None:
    with pytest.raises(Unplayable):
        await run_limited([*PYTHON, program], policy)


async def test_a_program_that_is_not_there_is_no_fault_of_the_file() -> None:
    with pytest.raises(JobLost):
        await run_limited(["no-such-ffmpeg"], VideoPolicy())


async def test_a_process_that_somebody_kills_is_lost_and_not_broken() -> None:
    with pytest.raises(JobLost):
        await run_limited([*PYTHON, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"], POLICY)


async def _child(parent: psutil.Process) -> psutil.Process:
    async with asyncio.timeout(60):
        while not (children := [one for one in parent.children() if one.name() == "sleep"]):
            await asyncio.sleep(0.05)
    return children[0]


async def _gone(process: psutil.Process) -> None:
    async with asyncio.timeout(60):
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.05)


async def test_a_process_ends_with_its_cancelled_call() -> None:
    running = asyncio.create_task(run_limited(["sleep", "600"], POLICY))
    child = await _child(psutil.Process())
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await _gone(child)


async def test_a_process_ends_with_the_killed_process_that_runs_it() -> None:
    program = (
        "import asyncio\n"
        "from features.videos.policy import VideoPolicy\n"
        "from features.videos.processes import run_limited\n"
        "asyncio.run(run_limited(['sleep', '600'], VideoPolicy()))"
    )
    with subprocess.Popen([sys.executable, "-c", program]) as parent:
        child = await _child(psutil.Process(parent.pid))
        os.kill(parent.pid, signal.SIGKILL)
    await _gone(child)
