"""A small Ray cluster for the whole run (a head that holds no work, and worker nodes), and runtimes on it."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

os.environ["RAY_AUTH_MODE"] = "disabled"

import ray

from actors.runtime.options import RuntimeOptions
from actors.runtime.router import Router
from actors.runtime.scaling import ScalingPolicy
from actors.runtime.start import start_runtime, stop_runtime
from cluster.shards import HostRow, ShardStore
from tests.cluster.nodes import RayNode, RayNodes
from tests.cluster.runtime.kinds import BOOK_TABLE, PATHS

SECRET = "the cluster's secret"


@dataclass
class Platform:
    """The Ray cluster of this run. Tests that kill a node start another."""

    nodes: RayNodes
    workers: list[RayNode]

    def add_worker(self) -> RayNode:
        node = self.nodes.start(cpus=4)
        self.workers.append(node)
        return node

    def kill_worker(self, node_id: str) -> None:
        """Ends the worker node with this Ray id, without a goodbye."""
        for node in self.workers:
            if any(node_id in " ".join(member.cmdline()) for member in node.family()):
                node.kill()
                self.workers.remove(node)
                return
        raise LookupError(node_id)


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    """A head and two workers."""
    nodes = RayNodes()
    try:
        nodes.start(cpus=0)
        platform = Platform(nodes, [])
        platform.add_worker()
        platform.add_worker()
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
        """The living hosts, oldest name first."""
        return sorted(await self.store.hosts(), key=lambda row: row.name)

    async def owner(self, kind: str, shard: int) -> str:
        """Name of the host that owns a shard."""
        _, rows = await self.store.shard_map()
        (host,) = (row.host for row in rows if (row.kind, row.shard) == (kind, shard))
        return host.rpartition(".")[0]

    async def pid(self, name: str) -> int:
        """Process id of a host or coordinator."""
        actor: Any = ray.get_actor(name, namespace=self.options.name)
        where: dict[str, Any] = await actor.where.remote()
        return int(where["pid"])

    async def leader(self) -> str:
        """Name of the candidate that leads."""
        holder = await self.store._pool.fetchval("SELECT holder FROM shard_coordinator")
        return str(holder).rpartition(".")[0]


async def eventually(what: Callable[[], Any], within: float = 60.0) -> Any:
    """Waits until ``what()`` (or what it awaits) is true, and returns it. The bound is no measurement."""
    deadline = time.monotonic() + within
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
    policy = ScalingPolicy(least=hosts, most=hosts)
    options = replace(
        RuntimeOptions(
            name=f"t{secrets.token_hex(4)}",
            kinds=PATHS,
            database=database,
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
        router = await Router.connect(options.name, secret=SECRET, within=120)
        runtime = RunningRuntime(options, router, store)

        async def spread() -> bool:
            _, rows = await store.shard_map()
            living = {row.host for row in await store.hosts()}
            settled = all(row.host in living and not row.moving_to for row in rows)
            return settled and len({row.host for row in rows}) >= options.scaling.least

        await eventually(spread, within=180)
        yield runtime
    finally:
        if router is not None:
            await router.close()
        stop_runtime(options)
        await store.close()


@pytest.fixture
async def runtime(platform: Platform, database_address: str) -> AsyncIterator[RunningRuntime]:
    """Two hosts on the platform's workers."""
    async with running(database_address) as started:
        yield started
