"""Runs ffmpeg and ffprobe on files of strangers: within limits, and never longer than their caller."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence

from features.videos.jobs import JobLost
from features.videos.model import Unplayable, VideoProblem
from features.videos.policy import VideoPolicy

MAX_PRINTED = 64 * 1024 * 1024
"""Bytes that a command may print: ffprobe prints a line per packet."""
_NOT_STARTED = (126, 127)
"""What `setpriv` and `prlimit` end with if the command cannot be executed."""


async def run_limited(command: Sequence[str], policy: VideoPolicy) -> bytes:
    """Runs a command and returns what it prints. Raises Unplayable if it fails, exceeds a limit, or takes too long;
    JobLost if somebody kills it, or it is not there. The process and its children end with this call, and with this
    process."""
    process = await asyncio.create_subprocess_exec(
        *_limits(policy),
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"},
    )
    try:
        async with asyncio.timeout(policy.job_timeout_s):
            printed = await _printed(process)
            status = await process.wait()
    except TimeoutError:
        raise Unplayable(VideoProblem.BROKEN) from None
    finally:
        await _end(process)
    if status == -signal.SIGKILL:
        raise JobLost("killed")
    if status in _NOT_STARTED:
        raise JobLost("not started")
    if status != 0:
        raise Unplayable(VideoProblem.BROKEN)
    return printed


def _limits(policy: VideoPolicy) -> list[str]:
    # The CPU limit warns (SIGXCPU) before it kills, which tells it from a kill by somebody else.
    return [
        *("setpriv", "--pdeathsig", "KILL", "--no-new-privs", "prlimit"),
        f"--cpu={policy.job_cpu_s}:{policy.job_cpu_s + 5}",
        f"--as={policy.job_memory}",
        f"--fsize={policy.job_output}",
        "--core=0",
        "--nofile=64",
        "--",
    ]


async def _printed(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    printed = bytearray()
    while chunk := await process.stdout.read(1024 * 1024):
        printed += chunk
        if len(printed) > MAX_PRINTED:
            raise Unplayable(VideoProblem.BROKEN)
    return bytes(printed)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        # A killed process may fill the pipe once more, and wait() waits for its end.
        assert process.stdout is not None
        while await process.stdout.read(1024 * 1024):
            pass
        await process.wait()
