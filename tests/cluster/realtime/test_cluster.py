"""Sockets and sessions as Ray actors: hosts on every node, and clients that outlive each of them."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import UUID

import pytest
import ray

from actors.realtime.actor import RealtimeOptions
from actors.realtime.keeper import start_realtime, stop_realtime
from actors.runtime.router import Router
from actors.runtime.scaling import ScalingPolicy
from actors.runtime.start import RuntimeOptions, start_runtime, stop_runtime
from actors.sessions.calls import SessionCalls
from client.realtime import Event, RealtimeClient, Received, Resync, Ticket, TicketUnavailable
from cluster.postgres import connect_database
from cluster.redis import open_redis
from features.errors import Unavailable
from features.identity import Identity
from features.realtime.policy import RealtimePolicy
from features.realtime.service import RealtimeService
from features.realtime.store import HostDirectory, TicketStore
from features.sessions.audience import PresenceAudience
from tests.cluster.nodes import RayNodes
from tests.conftest import Servers

BRAND = "test"
USER, DEVICE = UUID(int=1), UUID(int=2)


@dataclass
class Running:
    """The stack on a Ray cluster, as a gateway replica sees it."""

    nodes: RayNodes
    keeper: Any
    sessions: SessionCalls
    admissions: RealtimeService

    async def ticket(self) -> Ticket:
        try:
            admission = await self.admissions.admit(Identity(USER, DEVICE))
        except Unavailable as error:
            raise TicketUnavailable from error
        return Ticket(admission.ticket, admission.url)

    def client(self) -> RealtimeClient:
        return RealtimeClient(self.ticket, backoff_s=(0.1, 0.5))

    async def push(self, first: int, last: int) -> None:
        for number in range(first, last + 1):
            async with asyncio.timeout(60):
                await self.sessions.push(USER, "note", {"n": number}, key=f"k{number}")

    async def hosts(self) -> list[Any]:
        by_node = await self.keeper.hosts.remote()
        return [handle for handles in by_node.values() for handle in handles]


@pytest.fixture
async def running(servers: Servers, database_address: str) -> AsyncIterator[Running]:
    """One Ray node with two shard hosts and a realtime host."""
    redis = open_redis(servers.redis.address())
    await redis.flushdb()
    secret = "secret"
    config = {
        "brand": BRAND,
        "redis_url": servers.redis.address(),
        "database": database_address,
        "secret": secret,
    }
    runtime = RuntimeOptions(
        name=BRAND,
        kinds=("actors.sessions:KIND",),
        database=database_address,
        secret=secret,
        config=config,
        scaling=ScalingPolicy(least=2, most=2),
        host_cpus=0.1,
    )
    options = RealtimeOptions(
        brand=BRAND,
        runtime=BRAND,
        database=database_address,
        redis_url=servers.redis.address(),
        secret=secret,
        listen="127.0.0.1",
        url="ws://127.0.0.1:{port}/realtime",
        policy=RealtimePolicy(drain_spread_s=0.5),
    )
    nodes = RayNodes()
    try:
        await asyncio.to_thread(nodes.start)
        ray.init(address=nodes.address, namespace=BRAND, log_to_driver=False)
        start_runtime(runtime)
        keeper = start_realtime(options)
        router = await Router.connect(BRAND, secret=secret, within=120)
        async with connect_database(database_address, pool_size=2) as database:
            sessions = SessionCalls(router, PresenceAudience(database), timeout=30)
            directory = HostDirectory(redis, BRAND)
            admissions = RealtimeService(options.policy, TicketStore(redis, BRAND), directory, Random(1))
            yield Running(nodes, keeper, sessions, admissions)
            await router.close()
        stop_realtime(BRAND)
        stop_runtime(runtime)
    finally:
        ray.shutdown()
        nodes.stop()
        await redis.aclose()


async def read(client: RealtimeClient, until: Callable[[Received], bool]) -> list[Received]:
    seen = []
    async for received in client:
        seen.append(received)
        if until(received):
            return seen
    raise AssertionError("the stream ended")


async def first_sight(client: RealtimeClient) -> None:
    async with asyncio.timeout(120):
        assert await read(client, lambda received: True) == [Resync("fresh")]


async def expect(client: RealtimeClient, first: int, last: int) -> None:
    """The client sees first..last, each once, in order, and nothing else."""
    async with asyncio.timeout(120):
        seen = await read(client, lambda received: isinstance(received, Event) and received.data["n"] == last)
    assert [event.data["n"] for event in seen if isinstance(event, Event)] == list(range(first, last + 1))
    assert all(isinstance(received, Event) for received in seen)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


async def test_clients_outlive_realtime_hosts_and_shard_hosts(running: Running) -> None:
    """Kills with SIGKILL, between and during pushes: nothing is lost, nothing doubled, no resync."""
    client = running.client()
    await first_sight(client)
    await running.push(1, 10)
    await expect(client, 1, 10)

    (host,) = await running.hosts()
    kill(await host.pid.remote())
    await running.push(11, 30)
    await expect(client, 11, 30)

    pushing = asyncio.create_task(running.push(31, 80))
    for index in range(2):
        ray.kill(ray.get_actor(f"host-{index}", namespace=BRAND), no_restart=False)
    await expect(client, 31, 80)
    await pushing
    await client.close()


async def test_a_new_node_gets_a_host_and_a_drained_one_sends_its_clients_there(running: Running) -> None:
    client = running.client()
    await first_sight(client)
    (old,) = await running.hosts()
    await asyncio.to_thread(running.nodes.start)
    async with asyncio.timeout(120):
        while len(await running.admissions.directory.hosts()) < 2:
            await asyncio.sleep(0.2)
    by_node = await running.keeper.hosts.remote()
    old_node = next(node for node, handles in by_node.items() if old in handles)
    await running.push(1, 5)
    await running.keeper.drain.remote(old_node)
    assert len(await running.admissions.directory.hosts()) == 1
    await running.push(6, 10)
    await expect(client, 1, 10)
    assert client.connections == 2
    await client.close()
