"""Real, private Postgres and Redis servers for the whole test run, and a fresh world per test and brand."""

import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from brands.catalogue import BRANDS
from cluster.local.processes import Processes, free_port
from cluster.local.services import PostgresServer, RedisServer
from cluster.migrate import migrate
from cluster.redis import open_redis
from tests.world import MailTrap, World, open_world

os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)


@dataclass(frozen=True, slots=True)
class Servers:
    """The servers of this test run. `template` is a migrated database that tests clone in milliseconds."""

    postgres: PostgresServer
    redis: RedisServer
    template: str = "template_entativa"


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Start the servers on free ports; stop them at the end."""
    # Not in a folder of pytest's: those are private, and the accounts that the servers run as must pass through.
    root = Path(tempfile.mkdtemp(prefix="entativa-test-"))
    root.chmod(0o755)
    processes = Processes(root)
    password = secrets.token_hex(8)
    postgres = PostgresServer(processes, free_port(), password, durable=False)
    redis = RedisServer(processes, free_port(), password, durable=False)
    try:
        postgres.start()
        redis.start()
        yield Servers(postgres, redis)
    finally:
        redis.stop()
        postgres.stop()
        processes.sweep()
        shutil.rmtree(root, ignore_errors=True)


async def execute(address: str, *statements: str) -> None:
    """Run statements outside any pool or transaction."""
    connection = await asyncpg.connect(address)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
async def template(servers: Servers) -> str:
    """The name of a database with every migration applied."""
    await execute(servers.postgres.address("postgres"), f"create database {servers.template}")
    await migrate(servers.postgres.address(servers.template))
    return servers.template


@asynccontextmanager
async def fresh_database(servers: Servers, template: str) -> AsyncIterator[str]:
    """The address of a fresh, migrated database that is dropped at the end."""
    name = f"test_{secrets.token_hex(6)}"
    admin = servers.postgres.address("postgres")
    await execute(admin, f"create database {name} template {template}")
    yield servers.postgres.address(name)
    await execute(admin, f"drop database {name} with (force)")


@pytest.fixture
async def database_address(servers: Servers, template: str) -> AsyncIterator[str]:
    """The address of a fresh, migrated database that is dropped after the test."""
    async with fresh_database(servers, template) as address:
        yield address


@pytest.fixture(scope="session")
def mail_trap() -> Iterator[MailTrap]:
    """A real SMTP server for the mails that the platform sends."""
    with MailTrap() as trap:
        yield trap


@asynccontextmanager
async def _world(
    name: str, servers: Servers, template: str, tmp_path: Path, mail_trap: MailTrap
) -> AsyncIterator[World]:
    redis = open_redis(servers.redis.address())
    old = [key async for key in redis.scan_iter(f"{name}:*", count=1000)]
    if old:
        await redis.delete(*old)
    await redis.aclose()
    async with fresh_database(servers, template) as address:
        async with open_world(BRANDS[name], address, servers.redis.address(), tmp_path, mail_trap) as world:
            yield world


@pytest.fixture
async def entativa(servers: Servers, template: str, tmp_path: Path, mail_trap: MailTrap) -> AsyncIterator[World]:
    """The brand with friends, over empty storage."""
    async with _world("entativa", servers, template, tmp_path, mail_trap) as world:
        yield world


@pytest.fixture
async def vignette(servers: Servers, template: str, tmp_path: Path, mail_trap: MailTrap) -> AsyncIterator[World]:
    """The brand with follows, over empty storage."""
    async with _world("vignette", servers, template, tmp_path, mail_trap) as world:
        yield world
