"""What a started platform costs while nobody uses it: CPU time of all its processes over a minute, and memory.

`ours` are Postgres, Redis, the mail sink, the metrics exporter and the worker processes that run our replicas and
actors, Ray's own threads in them included; `ray` is everything else that Ray starts. `ray_in_ours` is the part of
`ours` that Ray's threads take: the main one, which asks a hundred times a second whether a signal has come, and those
for RPCs. Shared memory counts once (PSS).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from benchmarks.figure import Extra, Figure
from benchmarks.size import sized

FIGURES = ("platform.idle_cpu_share", "platform.idle_memory_mb")

_SETTLE_S, _SECONDS = sized(45, 1), sized(60, 5)
_SERVICES = ("postgres", "redis", "mail", "metrics")
_RAYS_OWN = ("ServeController", "ProxyActor", "HAProxyManager", "DashboardAgent", "RuntimeEnvAgent", "IDLE")


def run(wanted: Callable[[str], bool]) -> Iterator[Figure]:
    """Start the platform, leave it alone, stop it. Takes three minutes; starting it has a deadline of its own."""
    from benchmarks.platform.installation import running_platform

    with running_platform(measured=False) as installation:
        time.sleep(_SETTLE_S)
        roots = [(name in _SERVICES, installation.processes.find(name)) for name in (*_SERVICES, "ray")]
        before = _cpu_seconds(roots)
        begin = time.monotonic()
        time.sleep(_SECONDS)
        after, seconds = _cpu_seconds(roots), time.monotonic() - begin
        shares: dict[str, Extra] = {
            kind: sum(after[key] - before.get(key, 0.0) for key in after if key[0] == kind) / seconds
            for kind in ("ours", "ray", "ray_in_ours")
        }
        if wanted("platform.idle_cpu_share"):
            value = sum(after[key] - before.get(key, 0.0) for key in after if key[0] != "ray_in_ours") / seconds
            yield Figure("platform.idle_cpu_share", value, "cores", extra=shares)
        if wanted("platform.idle_memory_mb"):
            yield Figure("platform.idle_memory_mb", _pss(roots) / 2**20, "MB")


def _processes(roots: list[tuple[bool, psutil.Process | None]]) -> Iterator[tuple[str, psutil.Process]]:
    for service, root in roots:
        for process in [root, *root.children(recursive=True)] if root else []:
            with contextlib.suppress(psutil.Error):
                title = " ".join(process.cmdline()) or process.name()
                worker = title.startswith("ray::") and not any(name in title for name in _RAYS_OWN)
                yield ("ours" if service or worker else "ray"), process


def _cpu_seconds(roots: list[tuple[bool, psutil.Process | None]]) -> dict[tuple[str, int], float]:
    found = {}
    for kind, process in _processes(roots):
        with contextlib.suppress(psutil.Error, OSError):
            times = process.cpu_times()
            found[(kind, process.pid)] = times.user + times.system
            if kind == "ours" and process.cmdline()[0].startswith("ray::"):
                found[("ray_in_ours", process.pid)] = _rays_threads(process)
    return found


def _rays_threads(process: psutil.Process) -> float:
    """CPU seconds of all threads but those that Python has started: these have the name that the process had then."""
    total = 0.0
    for thread in process.threads():
        name = Path(f"/proc/{process.pid}/task/{thread.id}/comm").read_text()
        if thread.id == process.pid or not name.startswith("ray::"):
            total += thread.user_time + thread.system_time
    return total


def _pss(roots: list[tuple[bool, psutil.Process | None]]) -> float:
    total = 0.0
    for _, process in _processes(roots):
        with contextlib.suppress(psutil.Error):
            total += process.memory_full_info().pss
    return total
