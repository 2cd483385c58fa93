"""The realtime stack of a brand without Ray, on this machine: one process with all session entities, realtime hosts,
the servers that they need, and processes of clients."""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from actors.sessions.calls import SessionCalls
    from cluster.redis import Redis

HOSTS = 3
"""Realtime hosts: a process may have no more files than the hard limit says."""


class Clients:
    """One process of realtime_clients.py."""

    def __init__(self, url: str, number: int, subprotocol: str, tickets: list[str]) -> None:
        host, _, port = url.removeprefix("ws://").removesuffix("/realtime").rpartition(":")
        command = [sys.executable, "-m", "benchmarks.stack.realtime_clients", host, port, str(10 + number), subprotocol]
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


async def received(processes: Sequence[Clients], events: int) -> tuple[list[float], int]:
    """The latencies of so many events since the last report, in ms, and how many connections are open.

    What has not arrived after ten seconds is left out.
    """
    latencies: list[float] = []
    end = time.monotonic() + 10
    while True:
        reports = [await process.report() for process in processes]
        latencies += [latency for some, _ in reports for latency in some]
        if len(latencies) >= events or time.monotonic() > end:
            return latencies, sum(alive for _, alive in reports)
        await asyncio.sleep(0.1)


@dataclass(frozen=True)
class RealtimeStack:
    """The running stack."""

    urls: list[str]
    """Of the realtime hosts."""
    hosts: list[int]
    """Their process ids."""
    entities: int
    """The process id of the session entities."""
    sessions: SessionCalls
    _redis: Redis

    async def clients(self, url: str, number: int, devices: Sequence[tuple[UUID, UUID]]) -> Clients:
        """A process that has a socket for each (user, device) at one host; `number` gives it its source addresses."""
        from benchmarks.stack.realtime_process import BRAND
        from features.realtime.store import TicketHolder, TicketStore

        tickets: list[str] = []
        for start in range(0, len(devices), 500):
            # Together: a request each would take an eighth of what all opens take.
            pipeline = self._redis.pipeline(transaction=False)
            store = TicketStore(pipeline, BRAND)
            for user, device in devices[start : start + 500]:
                tickets.append(await store.issue(TicketHolder(str(user), str(device)), 900))
            await pipeline.execute()
        clients = await asyncio.to_thread(Clients, url, number, "realtime.v1.msgpack", tickets)
        await clients.answer()
        return clients


@asynccontextmanager
async def realtime_stack() -> AsyncIterator[RealtimeStack]:
    """Everything ends with the context."""
    from actors.sessions.calls import SessionCalls
    from benchmarks.stack.realtime_process import open_router
    from cluster.postgres import open_database
    from cluster.redis import open_redis
    from features.live_sessions.presence import PresenceAccess

    with tempfile.TemporaryDirectory(dir="/tmp") as folder, _storage(Path(folder)) as (redis_url, database):
        options = {
            "redis_url": redis_url,
            "database": database,
            "secret": secrets.token_hex(16),
            "directory": folder,
        }
        entities = _start("shards", options)
        processes = [entities]
        opened = open_redis(redis_url, timeout_s=30.0)
        audience = await open_database(database, pool_size=2)
        try:
            options["shards"] = await _line(entities)
            hosts = [_start("host", options) for _ in range(HOSTS)]
            processes += hosts
            urls = [await _line(host) for host in hosts]
            router = open_router(options["secret"], options["shards"])
            sessions = SessionCalls(router, PresenceAccess(audience), timeout=60)
            await sessions.devices(UUID(int=1))
            yield RealtimeStack(urls, [host.pid for host in hosts], entities.pid, sessions, opened)
            await router.close()
        finally:
            for process in processes:
                process.kill()
                process.wait()
            await opened.aclose()
            await audience.close()


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


def _start(role: str, options: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.stack.realtime_process", role, json.dumps(options)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


async def _line(process: subprocess.Popen[str]) -> str:
    """What it prints next. Log lines look different and are skipped."""
    assert process.stdout is not None
    while line := (await asyncio.to_thread(process.stdout.readline)).strip():
        if line.startswith(("ws://", "/")):
            return line
    raise RuntimeError("a process of the stack died")
