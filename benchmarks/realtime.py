"""Sockets held and events delivered by the platform's own stack: session entities, journal, realtime hosts.

Everything runs on this machine: one process with all session entities and three realtime hosts (a process may have no
more files than the hard limit says, 20,000 where this was written), the code of the Ray actors without Ray, private
Redis and Postgres, and client processes on further loopback addresses. The baseline is a bare echo server of the same
WebSocket library, in the same run.
"""

import asyncio
import json
import os
import resource
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, Any
from uuid import UUID

import psutil

from benchmarks.figure import Figure, percentiles, quantile
from benchmarks.size import sized

FIGURES = ("realtime.sockets", "realtime.delivery_ms")

SOCKETS = int(os.environ.get("REALTIME_SOCKETS", sized(50_000, 60)))
HOSTS = 3
"""Realtime hosts, and as many client processes."""
ECHO_SOCKETS = sized(2000, 50)
RATE = sized(1000, 50)
SECONDS = sized(20, 1)
_LIBRARY = "bare echo server on the same library (websockets, sans-IO, uvloop)"


def run(wanted: Callable[[str], bool]) -> Iterator[Figure]:
    """Both figures come from one set-up."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    figures = asyncio.run(_measure())
    yield from (figure for figure in figures if wanted(figure.figure))


async def _measure() -> list[Figure]:
    echo_bytes, echo_ms = await _echo()
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, _storage(Path(folder)) as (redis_url, database):
        async with _platform(Path(folder), redis_url, database) as platform:
            return await platform.measure(echo_bytes, echo_ms)


def _own_bytes(*pids: int) -> int:
    """Memory that belongs to these processes alone (USS), which would be free without them."""
    return sum(psutil.Process(pid).memory_full_info().uss for pid in pids)


def _kernel_socket_bytes() -> int:
    """What the kernel's buffers of all TCP sockets take now."""
    for line in Path("/proc/net/sockstat").read_text().splitlines():
        if line.startswith("TCP:"):
            return int(line.split()[-1]) * resource.getpagesize()
    raise RuntimeError("no TCP line in /proc/net/sockstat")


class Clients:
    """One process of realtime_clients.py."""

    def __init__(self, url: str, number: int, subprotocol: str, tickets: list[str]) -> None:
        host, _, port = url.removeprefix("ws://").removesuffix("/realtime").rpartition(":")
        source = f"127.0.0.{10 + number}"
        command = [sys.executable, "-m", "benchmarks.stack.realtime_clients", host, port, source, subprotocol]
        self._process = subprocess.Popen(
            [*command, str(len(tickets))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._say("\n".join(tickets))

    def _say(self, line: str) -> None:
        pipe: IO[str] | None = self._process.stdin
        assert pipe is not None
        pipe.write(line + "\n")
        pipe.flush()

    async def answer(self) -> str:
        """The next line of its output."""
        assert self._process.stdout is not None
        line = await asyncio.to_thread(self._process.stdout.readline)
        if not line:
            raise RuntimeError("a client process died")
        return line

    async def ask(self, line: str) -> str:
        self._say(line)
        return await self.answer()

    async def report(self) -> tuple[list[float], int]:
        """Latencies in ms since the last report, and how many connections are open."""
        report = json.loads(await self.ask("report"))
        return report["latencies"], report["alive"]

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


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
        await clients.ask(f"echo {RATE} 5")
        latencies, _ = await clients.report()
        clients.stop()
        warm.stop()
        return used, latencies
    finally:
        server.kill()
        server.wait()


@contextmanager
def _storage(folder: Path) -> Iterator[tuple[str, str]]:
    from cluster.local.processes import Processes, free_port
    from cluster.local.services import PostgresServer, RedisServer
    from cluster.migrate import migrate

    folder.chmod(0o755)
    processes = Processes(folder / ".local")
    password = secrets.token_hex(8)
    postgres = PostgresServer(processes, free_port(), password, durable=False)
    redis = RedisServer(processes, free_port(), password, durable=False)
    try:
        postgres.start()
        redis.start()
        _in_new_loop(migrate, postgres.address("postgres"))
        yield redis.address(), postgres.address("postgres")
    finally:
        redis.stop()
        postgres.stop()
        processes.sweep()


def _in_new_loop(function: Callable[[str], Any], argument: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(function(argument))).result()


class Platform:
    """The running stack, as the benchmark uses it."""

    def __init__(self, urls: list[str], hosts: list[int], shards: int, sessions: Any, tickets: Any) -> None:
        """`hosts` and `shards` are process ids."""
        self._urls = urls
        self._hosts = hosts
        self._shards = shards
        self._sessions = sessions
        self._tickets = tickets

    async def measure(self, echo_bytes: float, echo_ms: list[float]) -> list[Figure]:
        urls, pids = self._urls, self._hosts
        processes: list[Clients] = []
        try:
            for number, url in enumerate(urls):  # what the first connections load is no connection's memory
                processes.append(
                    await self._clients(url, number, [UUID(int=(number + 9) << 64 | n) for n in range(50)])
                )
            users = [UUID(int=n + 1) for n in range(SOCKETS)]
            before, entities_before, kernel_before = (
                _own_bytes(*pids),
                _own_bytes(self._shards),
                _kernel_socket_bytes(),
            )
            began = time.monotonic()
            started = [self._clients(url, HOSTS + n, users[n::HOSTS]) for n, url in enumerate(urls)]
            processes += await asyncio.gather(*started)
            opening_s = time.monotonic() - began
            per_socket = (_own_bytes(*pids) - before) / SOCKETS
            per_entity = (_own_bytes(self._shards) - entities_before) / SOCKETS
            kernel = (_kernel_socket_bytes() - kernel_before) / SOCKETS / 2
            await asyncio.sleep(5)
            for process in processes:
                await process.report()
            await self._push(users)
            await asyncio.sleep(2)
            reports = [await process.report() for process in processes[HOSTS:]]
            latencies = [latency for some, _ in reports for latency in some]
            held = sum(alive for _, alive in reports)
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

    async def _clients(self, url: str, number: int, users: list[UUID]) -> Clients:
        from features.realtime.store import TicketHolder

        tickets: list[str] = []
        for start in range(0, len(users), 25):
            some = (self._tickets.issue(TicketHolder(str(u), str(u)), 900) for u in users[start : start + 25])
            tickets += await asyncio.gather(*some)
        clients = await asyncio.to_thread(Clients, url, number, "realtime.v1.msgpack", tickets)
        await clients.answer()
        return clients

    async def _push(self, users: list[UUID]) -> None:
        """RATE events a second, whatever becomes of them (an open loop), to users all over."""
        tasks: set[asyncio.Task[None]] = set()
        start = time.monotonic()
        for number in range(RATE * SECONDS):
            ahead = start + number / RATE - time.monotonic()
            if ahead > 0:
                await asyncio.sleep(ahead)
            user = users[number * 7919 % len(users)]
            push = self._sessions.push(user, "bench", {"sent_ns": time.monotonic_ns(), "text": "x" * 100})
            task = asyncio.ensure_future(push)
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)


@asynccontextmanager
async def _platform(folder: Path, redis_url: str, database: str) -> AsyncIterator[Platform]:
    from actors.sessions.calls import SessionCalls
    from benchmarks.stack.realtime_process import BRAND, open_router
    from cluster.postgres import open_database
    from cluster.redis import open_redis
    from features.live_sessions.presence import PresenceAccess
    from features.realtime.store import TicketStore

    options = {
        "redis_url": redis_url,
        "database": database,
        "secret": secrets.token_hex(16),
        "directory": str(folder),
    }
    shards = _start("shards", options)
    processes = [shards]
    opened = open_redis(redis_url, timeout_s=30.0)
    audience = await open_database(database, pool_size=2)
    try:
        options["shards"] = await _line(shards)
        hosts = [_start("host", options) for _ in range(HOSTS)]
        processes += hosts
        urls = [await _line(host) for host in hosts]
        router = open_router(options["secret"], options["shards"])
        sessions = SessionCalls(router, PresenceAccess(audience), timeout=60)
        await sessions.devices(UUID(int=1))
        yield Platform(urls, [host.pid for host in hosts], shards.pid, sessions, TicketStore(opened, BRAND))
        await router.close()
    finally:
        for process in processes:
            process.kill()
            process.wait()
        await opened.aclose()
        await audience.close()


def _start(role: str, options: dict[str, str]) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "benchmarks.stack.realtime_process", role, json.dumps(options)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


async def _line(process: "subprocess.Popen[str]") -> str:
    """What it prints next. Log lines look different and are skipped."""
    assert process.stdout is not None
    while line := (await asyncio.to_thread(process.stdout.readline)).strip():
        if line.startswith(("ws://", "/")):
            return line
    raise RuntimeError("a process of the stack died")
