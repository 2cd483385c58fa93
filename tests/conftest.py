"""Private Postgres and Redis servers for the whole test run, and each brand over empty storage per test."""

import gc
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from brands.catalogue import BRANDS
from cluster.local.processes import Processes, free_port
from cluster.local.services import PostgresServer, RedisServer
from cluster.migrate import migrate
from tests.support.environment import Environment, open_environment
from tests.support.mail_trap import MailTrap
from tests.support.seen_errors import SEEN, never_seen
from tests.support.sent_statements import statements_on_record
from tests.support.servers import Servers, execute, forget_brand, fresh_database
from tests.support.task_errors import task_errors


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--all-errors", action="store_true", help="fail if a route declares an error that no test of this run has seen"
    )


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Compares declared errors with those seen, over all workers."""
    worker_output = getattr(session.config, "workeroutput", None)
    if worker_output is not None:
        worker_output["errors"] = sorted(SEEN)
    elif session.config.getoption("--all-errors") and session.exitstatus == pytest.ExitCode.OK:
        missing = never_seen(SEEN)
        if missing:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            raise pytest.UsageError("declared errors that no test has seen:\n" + "\n".join(missing))


class _Workers:
    """Collects what the workers of pytest-xdist have seen."""

    @staticmethod
    def pytest_testnodedown(node: object) -> None:
        SEEN.update((name, code) for name, code in getattr(node, "workeroutput", {}).get("errors", ()))


def pytest_configure(config: pytest.Config) -> None:
    if config.pluginmanager.hasplugin("dsession"):
        config.pluginmanager.register(_Workers())


# A busy machine takes as long as it takes.
hypothesis_settings.register_profile("no_deadline", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("no_deadline")

os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)


@pytest.fixture(scope="session", autouse=True)
def _small_collections() -> None:
    """Excludes what was imported from garbage collection, which then takes milliseconds after each test."""
    gc.collect()
    gc.freeze()


_IN_MEMORY = Path("/dev/shm")
_ROOM_BYTES = 4 << 30


@pytest.fixture(autouse=True)
def _tasks_without_errors() -> Iterator[None]:
    """Fails a test in which a task or a callback ended with an exception that nobody awaited."""
    with task_errors() as errors:
        yield
    assert errors == []


def _memory() -> Path | None:
    """A folder in memory, if it has room: a fresh database takes 0.05 s there, and 0.2 to 0.5 s on a disk."""
    if os.access(_IN_MEMORY, os.W_OK) and shutil.disk_usage(_IN_MEMORY).free >= _ROOM_BYTES:
        return _IN_MEMORY
    return None


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Start the servers on free ports; stop them at the end."""
    # Not in a folder of pytest's: those are private, and the accounts that the servers run as must pass through.
    root = Path(tempfile.mkdtemp(prefix="entativa-test-", dir=_memory()))
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


@pytest.fixture(scope="session")
async def template(servers: Servers) -> str:
    """The name of a database with every migration applied."""
    await execute(servers.postgres.address("postgres"), f"create database {servers.template}")
    await migrate(servers.postgres.address(servers.template))
    return servers.template


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
async def _environment(
    name: str, servers: Servers, template: str, tmp_path: Path, mail_trap: MailTrap
) -> AsyncIterator[Environment]:
    await forget_brand(servers, name)
    async with fresh_database(servers, template) as address:
        opened = open_environment(BRANDS[name], address, servers.redis.address(), tmp_path, mail_trap)
        with statements_on_record():
            async with opened as environment:
                yield environment


@pytest.fixture
async def entativa(servers: Servers, template: str, tmp_path: Path, mail_trap: MailTrap) -> AsyncIterator[Environment]:
    """The brand with friends, over empty storage."""
    async with _environment("entativa", servers, template, tmp_path, mail_trap) as environment:
        yield environment


@pytest.fixture
async def vignette(servers: Servers, template: str, tmp_path: Path, mail_trap: MailTrap) -> AsyncIterator[Environment]:
    """The brand with follows, over empty storage."""
    async with _environment("vignette", servers, template, tmp_path, mail_trap) as environment:
        yield environment
