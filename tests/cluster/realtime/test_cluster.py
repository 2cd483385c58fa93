"""Sockets and sessions as Ray actors: hosts on every node, and clients that outlive each of them, and Redis."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.realtime.placement import Place
from actors.runtime.coordination.ray_nodes import idle_nodes, living_nodes
from client.realtime import TicketUnavailable
from cluster.code_version import CODE_VERSION
from cluster.local.processes import Processes, free_port
from cluster.local.services import RedisServer
from deployments.node_drain import empty_node
from tests.cluster.conftest import Platform, eventually, running
from tests.cluster.realtime.stack import SESSIONS, Person, Stack, expect, stack_on
from tests.support.servers import Servers, fresh_database


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    """A server that these tests may kill. Like a real one it keeps what it holds in a file."""
    root = Path(tempfile.mkdtemp(prefix="entativa-test-"))
    root.chmod(0o755)
    server = RedisServer(Processes(root), free_port(), "password")
    server.start()
    yield server
    server.stop()
    shutil.rmtree(root)


@pytest.fixture(scope="module")
async def module_stack(platform: Platform, redis: RedisServer, servers: Servers, template: str) -> AsyncIterator[Stack]:
    async with fresh_database(servers, template) as address:
        options: dict[str, Any] = {"kinds": SESSIONS, "redis": redis.address(), "coordinators": 1}
        async with running(address, **options) as runtime, stack_on(runtime) as stack, stack.reconciled():
            yield stack


@pytest.fixture
async def stack(module_stack: Stack) -> Stack:
    """The stack, well again after the test before."""
    await module_stack.ready()
    return module_stack


async def kill(realtime_host: Any) -> None:
    os.kill((await realtime_host.status.remote())["pid"], signal.SIGKILL)


async def test_clients_outlive_realtime_hosts_and_shard_hosts(stack: Stack) -> None:
    """Kills with SIGKILL, between and during pushes: nothing is lost, nothing doubled, no resync."""
    person = Person(stack)
    client = await person.connect()
    await person.push(1, 10)
    await expect(client, 1, 10)

    await kill(await stack.host_in_use())
    await person.push(11, 30)
    await expect(client, 11, 30)

    pushing = asyncio.create_task(person.push(31, 80))
    stack.crash_shard_hosts()
    await expect(client, 31, 80)
    await pushing
    await client.close()


class Work:
    """What a node is there for."""


async def test_a_new_node_gets_a_host_and_one_that_is_stopped_sends_its_clients_elsewhere(
    stack: Stack, platform: Platform, tmp_path: Path
) -> None:
    person = Person(stack)
    before, nodes = await stack.hosts_by_place(), living_nodes()
    added = await asyncio.to_thread(platform.add_worker)
    work: Any = None
    try:
        assert (await stack.hosts_by_place()).keys() == before.keys(), "a node that does nothing else gets no host"
        (node,) = living_nodes() - nodes
        affinity = NodeAffinitySchedulingStrategy(node, soft=False)
        work = ray.remote(Work).options(num_cpus=1, scheduling_strategy=affinity).remote()

        async def newcomer() -> Place | None:
            for place in (await stack.hosts_by_place()).keys() - before.keys():
                return place
            return None

        place = await eventually(newcomer, timeout=120)
        await stack.ready()
        client = await person.connect()
        while (client_host := await stack.host_in_use()) != (await stack.hosts_by_place())[place]:
            await client.close()
            await eventually(partial(_has_no_sockets, client_host))
            client = await person.connect()
        await person.push(1, 5)
        gone = (await client_host.status.remote())["url"]
        # What `entativa node stop` does before it stops the node.
        processes, run = Processes(tmp_path), tmp_path / "run"
        run.mkdir()
        ray_start = added.process.pid
        (run / "ray.pid").write_text(f"{ray_start} {psutil.Process(ray_start).create_time()}")
        assert await asyncio.to_thread(empty_node, processes, os.environ, 60)
        assert gone not in await stack.addresses()
        await person.push(6, 10)
        await expect(client, 1, 10)
        assert client.connections == 2
        assert await stack.host_in_use() != client_host
        await client.close()
    finally:
        if work is not None:
            ray.kill(work)
        await asyncio.to_thread(platform.remove_worker, added)


async def _has_no_sockets(host: Any) -> bool:
    return not (await host.status.remote())["sockets"]


async def test_an_update_of_the_code_replaces_hosts_and_loses_no_notification(stack: Stack) -> None:
    person = Person(stack)
    old = stack.options
    stack.options = replace(old, code_version="before")

    async def as_if_started_by_the_version_before() -> bool:
        # A reconciler that was under way when the options changed may start one more of this version.
        for host in await stack.hosts():
            if await _version(host) == CODE_VERSION:
                ray.kill(host)
        return await _all_run(stack, "")

    await eventually(as_if_started_by_the_version_before, timeout=120)
    await stack.ready()
    client = await person.connect()
    await person.push(1, 10)
    await expect(client, 1, 10)

    stack.options, stack.target = old, CODE_VERSION
    unavailable = 0
    pushed = 10

    async def updated() -> Any:
        nonlocal pushed, unavailable
        pushed += 1
        await person.push(pushed, pushed)
        unavailable += not await stack.addresses()
        return await _all_run(stack, CODE_VERSION)

    await eventually(updated, timeout=240)
    await person.push(pushed + 1, pushed + 10)
    await expect(client, 11, pushed + 10)
    assert client.connections >= 2
    assert unavailable == 0, "there was a host for new clients all the while"
    await client.close()


async def _version(host: Any) -> str:
    """The version of the code that a host says it runs; "unknown" from one that does not serve."""
    try:
        status = await host.status.remote()
    except RayError:
        return "unknown"
    return str(status["code_version"]) if status["phase"] == "serving" else "unknown"


async def _all_run(stack: Stack, version: str) -> bool:
    """Whether every node that does something has one host, and all hosts serve and are of this version."""
    by_place = await stack.hosts_by_place()
    versions = await asyncio.gather(*map(_version, by_place.values()))
    nodes = [node for node, _ in by_place]
    at_work = {node[:16] for node in await asyncio.to_thread(lambda: living_nodes() - idle_nodes())}
    return set(versions) == {version} and len(set(nodes)) == len(nodes) and at_work <= set(nodes)


@pytest.mark.parametrize("forgets", [False, True], ids=["with its data", "empty"])
async def test_redis_is_killed_and_started_again(stack: Stack, redis: RedisServer, forgets: bool) -> None:
    """Pushes go on meanwhile; afterwards tickets are to be had, and a crash of everything else loses nothing either."""
    person = Person(stack)
    client = await person.connect()
    await person.push(1, 10)
    await expect(client, 1, 10)

    process = redis.processes.find(RedisServer.NAME)
    assert process is not None
    process.kill()
    await asyncio.to_thread(process.wait, 10)
    await person.push(11, 20)
    await stack.sessions.set_unread(person.user, "inbox", 7)
    with pytest.raises(TicketUnavailable):
        await person.ticket()
    if forgets:
        shutil.rmtree(redis.processes.root / "redis" / "appendonlydir")
    await asyncio.to_thread(redis.start)
    await stack.ready()
    await person.push(21, 30)
    await kill(await stack.host_in_use())
    stack.crash_shard_hosts()
    await person.push(31, 40)
    await expect(client, 11, 40)
    assert await stack.sessions.unread(person.user) == {"inbox": 7}
    stranger = await Person(stack).connect()
    await stranger.close()
    await client.close()
