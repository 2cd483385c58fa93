"""One brand over private servers and an empty folder, and processes that serve it, without Ray."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.environment import Environment
    from tests.support.member import Member

_BRAND = "entativa"


@asynccontextmanager
async def private_brand() -> AsyncIterator[Environment]:
    """Yields the brand over private servers and an empty folder."""
    from brands.catalogue import BRANDS
    from cluster.local.processes import Processes, free_port
    from cluster.local.services import PostgresServer, RedisServer
    from cluster.migrate import migrate
    from tests.support.environment import open_environment
    from tests.support.mail_trap import MailTrap
    from tests.support.servers import execute

    with tempfile.TemporaryDirectory(prefix="entativa-bench-", ignore_cleanup_errors=True) as folder:
        root = Path(folder)
        root.chmod(0o755)  # the accounts that the servers run as must get in
        processes, password = Processes(root), secrets.token_hex(8)
        postgres = PostgresServer(processes, free_port(), password)
        redis = RedisServer(processes, free_port(), password)
        try:
            postgres.start()
            redis.start()
            await execute(postgres.address("postgres"), f"create database {_BRAND}")
            await migrate(postgres.address(_BRAND))
            with MailTrap() as trap:
                async with open_environment(
                    BRANDS[_BRAND], postgres.address(_BRAND), redis.address(), root / "home", trap
                ) as environment:
                    yield environment
        finally:
            redis.stop()
            postgres.stop()
            processes.sweep()


async def log_in_now(environment: Environment, username: str) -> Member:
    """Logs somebody in whose token is good for the processes, too: they have the clock of the machine."""
    environment.clock.advance(datetime.now(UTC) - environment.clock())
    return await environment.log_in(username)


@dataclass(slots=True)
class BrandProcesses:
    """Processes that serve the brand, each on a port of its own."""

    environment: Environment
    ports: list[int]
    _running: dict[int, Process] = field(default_factory=dict)

    async def start(self, port: int) -> None:
        """Starts one. Returns when it serves."""
        settings = self.environment.settings
        variables = {
            "ENTATIVA_DATABASES": f'{{"{_BRAND}": "{settings.databases[_BRAND].get_secret_value()}"}}',
            "ENTATIVA_REDIS_URL": settings.redis_url.get_secret_value(),
            "ENTATIVA_KEYS_DIRECTORY": str(settings.keys_directory),
            "ENTATIVA_OBJECTS_URL": settings.objects_url,
            "ENTATIVA_CLUSTER_SECRET": settings.cluster_secret.get_secret_value(),
            "ENTATIVA_PUBLIC_URLS": f'{{"{_BRAND}": "{settings.public_urls[_BRAND]}"}}',
            "ENTATIVA_TRUSTED_PROXIES": "0",
            "ENTATIVA_RATE_LIMITS__IDENTITY_PER_MINUTE": "600000",
            "ENTATIVA_RATE_LIMITS__ADDRESS_PER_MINUTE": "600000",
        }
        command = [sys.executable, "-m", "benchmarks.stack.brand_process", _BRAND, str(port)]
        process = await asyncio.create_subprocess_exec(
            *command, env={**os.environ, **variables}, stdin=PIPE, stdout=PIPE
        )
        self._running[port] = process
        assert process.stdout is not None
        if not await process.stdout.readline():
            raise RuntimeError("a process of the brand did not start")

    async def consume(self) -> None:
        """Has all of them do the work of consumers, too."""
        for process in self._running.values():
            assert process.stdin is not None
            process.stdin.write(b"\n")
            await process.stdin.drain()

    async def kill(self, port: int) -> None:
        """Kills one, and waits until it is gone."""
        process = self._running.pop(port)
        with suppress(ProcessLookupError):  # it has ended by itself
            process.send_signal(signal.SIGKILL)
        await process.wait()

    async def stop(self) -> None:
        """Kills all of them."""
        for port in list(self._running):
            await self.kill(port)


@asynccontextmanager
async def brand_processes(environment: Environment, count: int) -> AsyncIterator[BrandProcesses]:
    """Yields so many processes that serve the brand."""
    from cluster.local.processes import free_port

    processes = BrandProcesses(environment, [free_port() for _ in range(count)])
    try:
        await asyncio.gather(*(processes.start(port) for port in processes.ports))
        yield processes
    finally:
        await processes.stop()
