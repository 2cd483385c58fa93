"""A small Ray cluster for the whole run (a head that holds no work, and worker nodes), and runtimes on it."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

os.environ["RAY_AUTH_MODE"] = "disabled"

import ray

from actors.runtime.options import RuntimeOptions, ScalingPolicy
from actors.runtime.start import start_runtime, stop_runtime
from actors.runtime.store.rows import HostRow, ShardRow
from actors.runtime.store.shard_store import ShardStore
from actors.runtime.transport.router import Router
from tests.cluster.nodes import RayNode, RayNodes
from tests.cluster.runtime.kinds import BOOK_TABLE, KINDS
from tests.support.servers import Servers, fresh_database

SECRET = "the cluster's secret"
_SHARING = (
    *("conversations/", "counters/", "feeds/", "realtime/"),
    *("runtime/test_failures.py", "runtime/test_lease.py", "runtime/test_runtime.py"),
)
"""Tests that use the platform's cluster."""


class OnePlatform(LoadScopeScheduling):  # type: ignore[misc]
    """Of several test processes (``pytest -n 2 tests/cluster``) one has the platform; the others take file by file."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "platform" if any(place in file for place in _SHARING) else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return OnePlatform(config, log)


@dataclass
class Platform:
    """The Ray cluster of this run. Tests that kill a node start another."""

    nodes: RayNodes
    workers: list[RayNode]

    def add_worker(self) -> RayNode:
        node = self.nodes.start(cpus=4)
        self.workers.append(node)
        return node

    def remove_worker(self, node: RayNode) -> None:
        """Ends a worker node that a test added."""
        node.kill()
        self.workers.remove(node)

    def worker(self, node_id: str) -> RayNode:
        """The worker node with this Ray id. Raises LookupError."""
        for node in self.workers:
            if any(node_id in " ".join(member.cmdline()) for member in node.family()):
                return node
        raise LookupError(node_id)

    def kill_worker(self, node_id: str) -> None:
        """Ends the worker node with this Ray id, without a goodbye. Raises LookupError."""
        self.remove_worker(self.worker(node_id))


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    """A head and two workers."""
    nodes = RayNodes()
    try:
        nodes.start(cpus=0)
        platform = Platform(nodes, [])
        with ThreadPoolExecutor() as pool:
            wait([pool.submit(platform.add_worker) for _ in range(2)])
        assert len(platform.workers) == 2
        ray.init(address=nodes.address, namespace="tests", log_to_driver=False)
        yield platform
    finally:
        ray.shutdown()
        nodes.stop()


class RunningRuntime:
    """A runtime under test, with what tests look at."""

    def __init__(self, options: RuntimeOptions, router: Router, store: ShardStore) -> None:
        self.options = options
        self.router = router
        self.store = store

    async def hosts(self) -> list[HostRow]:
        """The living hosts, in the order of their names."""
        return sorted(await self.store.hosts(), key=lambda row: row.name)

    async def owner(self, kind: str, shard: int) -> str:
        """Name of the host that owns a shard."""
        return (await self.row(kind, shard)).host.rpartition(".")[0]

    async def pid(self, name: str) -> int:
        """Process id of a host or coordinator."""
        actor: Any = ray.get_actor(name, namespace=self.options.name)
        where: dict[str, Any] = await actor.status.remote()
        return int(where["pid"])

    async def leader(self) -> str:
        """Name of the candidate that leads."""
        holder = await self.store._pool.fetchval("SELECT holder FROM shard_coordinator")
        return str(holder).rpartition(".")[0]

    async def settled(self, hosts: int) -> bool:
        """Whether there are so many hosts, all of which own shards, and none is about to move."""
        rows = (await self.store.shard_map()).rows
        living = {row.host for row in await self.store.hosts()}
        return len(living) == hosts and {row.host for row in rows} == living and not any(row.moving_to for row in rows)

    async def ask_for_move(self, kind: str, shard: int, to: str) -> None:
        """Wants one shard at another host, in the stored map, as a leader would; the leader drives it from there."""
        async with self.store._pool.acquire() as connection, connection.transaction():
            # A term of its own, which ends with the move: the leader that drives it reads the map as its term begins.
            await connection.execute(
                "WITH led AS (UPDATE shard_coordinator SET holder = '', term = term + 1, expires_at = '-infinity',"
                " generation = gen_random_uuid() RETURNING generation, term, map_version)"
                " INSERT INTO shard_generations (generation, term, from_version) SELECT * FROM led"
            )
            version = await connection.fetchval(
                "UPDATE shard_coordinator SET map_version = map_version + 1 RETURNING map_version"
            )
            await connection.execute(
                "UPDATE shards SET moving_to = $1, version = $2 WHERE kind = $3 AND shard = $4",
                *(to, version, kind, shard),
            )

    async def row(self, kind: str, shard: int) -> ShardRow:
        """A shard in the map."""
        rows = (await self.store.shard_map()).rows
        (found,) = (row for row in rows if (row.kind, row.shard) == (kind, shard))
        return found

    async def lines(self, books: str) -> Counter[str]:
        """Every stored operation of the books whose names begin like this, and how often it is there."""
        rows = await self.store._pool.fetch("SELECT operation FROM book_lines WHERE starts_with(book, $1)", books)
        return Counter(row["operation"] for row in rows)


async def eventually(what: Callable[[], Any], timeout: float = 60.0) -> Any:
    """Waits until ``what()`` (or what it awaits) is true, and returns it. The bound is no measurement."""
    deadline = time.monotonic() + timeout
    while True:
        found = what()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError("it never became true")
        await asyncio.sleep(0.1)


@asynccontextmanager
async def running(database: str, hosts: int = 2, **changes: Any) -> AsyncIterator[RunningRuntime]:
    """A runtime with the kinds of kinds.py and so many hosts, all of which own shards."""
    policy = ScalingPolicy(min_hosts=hosts, max_hosts=hosts)
    options = replace(
        RuntimeOptions(
            name=f"t{secrets.token_hex(4)}",
            kinds=KINDS,
            database=database,
            redis="redis://127.0.0.1",  # none of these kinds uses it
            secret=SECRET,
            scaling=policy,
            host_cpus=1.0,
        ),
        **changes,
    )
    store = await ShardStore.open(database, application="tests")
    await store._pool.execute(BOOK_TABLE)
    start_runtime(options)
    router = None
    try:
        router = await Router.connect(options.name, secret=SECRET, timeout_s=120)
        runtime = RunningRuntime(options, router, store)
        await eventually(lambda: runtime.settled(options.scaling.min_hosts), timeout=180)
        yield runtime
    finally:
        if router is not None:
            await router.close()
        # Its actors say goodbye to the database, perhaps by a way that this loop serves.
        await asyncio.to_thread(stop_runtime, options)
        await store.close()


@pytest.fixture(scope="session")
async def shared_runtime(platform: Platform, servers: Servers, template: str) -> AsyncIterator[RunningRuntime]:
    # A lease that stalls of a busy machine hardly outlast: some of what tests look at lives in memory only.
    async with fresh_database(servers, template) as address, running(address, lease=3.0) as started:
        yield started


@pytest.fixture
async def runtime(shared_runtime: RunningRuntime) -> RunningRuntime:
    """Two hosts on the platform's workers, both well. Tests share it and break it: each has entities of its own."""
    await eventually(lambda: shared_runtime.settled(2), timeout=120)
    return shared_runtime
