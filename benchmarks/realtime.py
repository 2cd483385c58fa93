"""Sockets held and events delivered by the platform's own stack: session entities, journal, realtime hosts.

Everything runs on this machine: one process with all session entities and three realtime hosts (a process may have no
more files than the hard limit says, 20,000 where this was written), the code of the Ray actors without Ray, private
Redis and Postgres, and client processes on further loopback addresses. The baseline is a bare echo server of the same
WebSocket library, in the same run.
"""

import asyncio
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import psutil

from benchmarks.figure import Figure, percentiles, quantile
from benchmarks.size import sized
from benchmarks.stack.realtime_stack import HOSTS, Clients, RealtimeStack, realtime_stack, received

FIGURES = ("realtime.sockets", "realtime.delivery_ms")

SOCKETS = int(os.environ.get("REALTIME_SOCKETS", sized(50_000, 60)))
ECHO_SOCKETS = sized(2000, 50)
RATE = sized(1000, 50)
SECONDS = sized(20, 1)
IDLE_SECONDS = sized(30.0, 0.5)
"""As long as a lease, so that each socket's is renewed once."""
_LIBRARY = "bare echo server on the same library (websockets, sans-IO, uvloop)"


def run(wanted: Callable[[str], bool]) -> Iterator[Figure]:
    """Both figures come from one set-up."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    figures = asyncio.run(_measure())
    yield from (figure for figure in figures if wanted(figure.figure))


async def _measure() -> list[Figure]:
    echo_bytes, echo_ms = await _echo()
    async with realtime_stack() as stack:
        return await _measured(stack, echo_bytes, echo_ms)


def _own_bytes(*pids: int) -> int:
    """Memory that belongs to these processes alone (USS), which would be free without them."""
    return sum(psutil.Process(pid).memory_full_info().uss for pid in pids)


def _cpu_s(*pids: int) -> float:
    """Seconds of CPU time that these processes have taken."""
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return sum(each.user + each.system for each in times)


def _kernel_socket_bytes() -> int:
    """What the kernel's buffers of all TCP sockets take now."""
    for line in Path("/proc/net/sockstat").read_text().splitlines():
        if line.startswith("TCP:"):
            return int(line.split()[-1]) * resource.getpagesize()
    raise RuntimeError("no TCP line in /proc/net/sockstat")


async def _echo() -> tuple[float, list[float]]:
    """The baseline: bytes per connection, and milliseconds from send to echo at RATE messages a second."""
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.stack.realtime_echo"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        url = (await asyncio.to_thread(server.stdout.readline)).strip()
        warm = Clients(url, 0, "-", [""] * 50)
        await warm.answer()
        before = _own_bytes(server.pid)
        clients = Clients(url, 1, "-", [""] * ECHO_SOCKETS)
        await clients.answer()
        used = (_own_bytes(server.pid) - before) / ECHO_SOCKETS
        await clients.ask(f"echo {RATE} {sized(5, 1)}")
        latencies, _ = await clients.report()
        clients.stop()
        warm.stop()
        return used, latencies
    finally:
        server.kill()
        server.wait()


async def _measured(stack: RealtimeStack, echo_bytes: float, echo_ms: list[float]) -> list[Figure]:
    pids = stack.hosts
    processes: list[Clients] = []
    try:
        for number, url in enumerate(stack.urls):  # what the first connections load is no connection's memory
            first = [UUID(int=(number + 9) << 64 | n) for n in range(50)]
            processes.append(await stack.clients(url, number, [(user, user) for user in first]))
        users = [UUID(int=n + 1) for n in range(SOCKETS)]
        before, entities_before = _own_bytes(*pids), _own_bytes(stack.entities)
        kernel_before = _kernel_socket_bytes()
        began, cpu = time.monotonic(), _cpu_s(*pids, stack.entities)
        devices = [(user, user) for user in users]
        started = [stack.clients(url, HOSTS + n, devices[n::HOSTS]) for n, url in enumerate(stack.urls)]
        processes += await asyncio.gather(*started)
        opening_s, cpu = time.monotonic() - began, _cpu_s(*pids, stack.entities) - cpu
        per_socket = (_own_bytes(*pids) - before) / SOCKETS
        per_entity = (_own_bytes(stack.entities) - entities_before) / SOCKETS
        kernel = (_kernel_socket_bytes() - kernel_before) / SOCKETS / 2
        idle_began, idle_cpu = time.monotonic(), _cpu_s(*pids, stack.entities)
        await asyncio.sleep(IDLE_SECONDS)
        idle_cpu = (_cpu_s(*pids, stack.entities) - idle_cpu) / (time.monotonic() - idle_began)
        for process in processes:
            await process.report()
        await _push(stack, users)
        latencies, held = await received(processes[HOSTS:], RATE * SECONDS)
        return [
            Figure(
                "realtime.sockets",
                held,
                "1",
                extra={
                    "bytes_per_connection": per_socket,
                    "baseline_bytes_per_connection": echo_bytes,
                    "bytes_per_session_entity": per_entity,
                    "kernel_bytes_per_connection": kernel,
                    "hosts": len(pids),
                    "opened_per_s": SOCKETS / opening_s,
                    "opening_s": opening_s,
                    "cpu_ms_per_open": cpu / SOCKETS * 1000,
                    "idle_cpu_share": idle_cpu,
                },
            ),
            Figure(
                "realtime.delivery_ms",
                quantile(latencies, 0.5),
                "ms",
                _LIBRARY,
                quantile(echo_ms, 0.5),
                len(latencies),
                extra={
                    **percentiles(latencies),
                    "baseline_p99": quantile(echo_ms, 0.99),
                    "rate": RATE,
                    "pushed": RATE * SECONDS,
                    "sockets": held,
                },
            ),
        ]
    finally:
        for process in processes:
            process.stop()


async def _push(stack: RealtimeStack, users: list[UUID]) -> None:
    """RATE events a second, whatever becomes of them (an open loop), to users all over."""
    tasks: set[asyncio.Task[None]] = set()
    start = time.monotonic()
    for number in range(RATE * SECONDS):
        ahead = start + number / RATE - time.monotonic()
        if ahead > 0:
            await asyncio.sleep(ahead)
        user = users[number * 7919 % len(users)]
        push = stack.sessions.push(user, "bench", {"sent_ns": time.monotonic_ns(), "text": "x" * 100})
        task = asyncio.ensure_future(push)
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
