"""The process in which images are decoded: `python -m features.media.image_worker`.

It has the decoders loaded and reads nothing of an upload itself: for each request, a line of JSON on the standard
input, it forks a child with limits, waits for it, and writes how it ended, a line of JSON on the standard output. A
child costs some milliseconds, sees one upload, and can be killed by its limits at any instruction. It writes
`result.json`.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

import pyvips

from features.media.image_orders import RESULT, ImageFormat, ImageLimits, ImageOrder, Refused
from features.media.image_rendering import render
from features.media.model import MediaType

_MAX_FILE_BYTES = 64 * 1024 * 1024
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38


def main() -> None:
    """Serves requests until the standard input ends."""
    pyvips.cache_set_max(0)
    libc = ctypes.CDLL(None)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            _run(json.loads(line))
        _, status, usage = os.wait4(child, 0)
        print(
            json.dumps(
                {
                    "status": os.waitstatus_to_exitcode(status),
                    "cpu_s": usage.ru_utime + usage.ru_stime,
                    "memory_bytes": usage.ru_maxrss * 1024,
                }
            ),
            flush=True,
        )


def _run(request: dict[str, Any]) -> NoReturn:
    """Handles one request in a child, which ends with it."""
    status = 1
    try:
        limits = ImageLimits(**request["limits"])
        _limit(limits)
        order = request["order"]
        os.nice(order["niceness"])
        order["media_type"] = MediaType(order["media_type"])
        order["formats"] = [ImageFormat(name) for name in order["formats"]]
        folder = Path(request["folder"])
        try:
            rendered = render(
                Path(request["source"]),
                folder,
                ImageOrder(**order),
                lambda: _limit_cpu(limits.encoding_s),
            )
            result = asdict(rendered)
        except Refused as refused:
            result = {"failure": refused.failure}
        (folder / RESULT).write_text(json.dumps(result))
        status = 0
    finally:
        os._exit(status)


def _limit(limits: ImageLimits) -> None:
    for kind, most in (
        (resource.RLIMIT_DATA, limits.memory_bytes),
        (resource.RLIMIT_CPU, int(limits.decoding_s + limits.encoding_s) + 1),
        (resource.RLIMIT_FSIZE, _MAX_FILE_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))
    _limit_cpu(limits.decoding_s)
    signal.setitimer(signal.ITIMER_REAL, limits.elapsed_s)


def _limit_cpu(seconds: float) -> None:
    """Has the process killed (SIGPROF) after so many more CPU seconds."""
    signal.setitimer(signal.ITIMER_PROF, seconds)


if __name__ == "__main__":
    main()
