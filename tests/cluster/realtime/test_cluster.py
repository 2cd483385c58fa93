"""Sockets and sessions as Ray actors: hosts on every node, and clients that outlive each of them, and Redis."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest
import ray
from ray.exceptions import RayError

from actors.realtime.actor import RealtimeOptions
from actors.realtime.reconciler import start_realtime, stop_realtime
from actors.sessions.calls import SessionCalls
from client.realtime import Event, RealtimeClient, Received, Resync, Ticket, TicketUnavailable
from cluster.local.processes import Processes, free_port
from cluster.local.services import RedisServer
from cluster.postgres import connect_database
from cluster.redis import open_redis
from features.errors import Unavailable
from features.identity import Identity
from features.live_sessions.policy import LiveSessionPolicy
from features.live_sessions.presence import PresenceAccess
from features.realtime.policy import RealtimePolicy
from features.realtime.service import RealtimeService
from features.realtime.store import HostDirectory, TicketStore
from tests.cluster.conftest import SECRET, Platform, RunningRuntime, eventually, running
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


@dataclass
class Stack:
    """Two shard hosts, and a realtime host on every node, as a gateway replica sees them."""

    runtime: RunningRuntime
    redis: RedisServer
    reconciler: Any
    sessions: SessionCalls
    admissions: RealtimeService

    async def hosts(self) -> list[Any]:
        by_node = await self.reconciler.hosts.remote()
        return [handle for handles in by_node.values() for handle in handles]

    async def host_in_use(self) -> Any:
        """The realtime host that has the only client's socket."""

        async def found() -> Any:
            hosts = await self.hosts()
            statuses = await asyncio.gather(*(host.status.remote() for host in hosts), return_exceptions=True)
            for host, status in zip(hosts, statuses, strict=True):
                if isinstance(status, dict) and status["sockets"] == 1:
                    return host
            return None

        return await eventually(found)

    async def ready(self) -> None:
        """Shard hosts own their shards, and realtime hosts are listed."""
        await eventually(lambda: self.runtime.settled(2), timeout=120)

        async def listed() -> bool:
            return all([await self.lists(host) for host in await self.hosts()])

        await eventually(listed, timeout=120)

    async def addresses(self) -> list[str]:
        """Where clients are sent to."""
        return [host.url for host in await self.admissions.directory.hosts()]

    async def lists(self, realtime_host: Any) -> bool:
        """Whether clients are sent to a realtime host."""
        try:
            url = (await realtime_host.status.remote())["url"]
        except RayError:
            return False  # it is restarting
        return bool(url) and url in await self.addresses()

    def crash_shard_hosts(self) -> None:
        for index in range(2):
            ray.kill(ray.get_actor(f"host-{index}", namespace=self.runtime.options.name), no_restart=False)


@dataclass
class Person:
    """Somebody with one client, who is pushed numbers."""

    stack: Stack
    user: UUID = field(default_factory=uuid4)
    device: UUID = field(default_factory=uuid4)

    async def ticket(self) -> Ticket:
        try:
            admission = await self.stack.admissions.admit(Identity(self.user, self.device))
        except Unavailable as error:
            raise TicketUnavailable from error
        return Ticket(admission.ticket, admission.url)

    async def connect(self) -> RealtimeClient:
        client = RealtimeClient(self.ticket, backoff_s=(0.1, 0.5))
        async with asyncio.timeout(120):
            assert await read(client, lambda received: True) == [Resync("fresh")]
        return client

    async def push(self, first: int, last: int) -> None:
        for number in range(first, last + 1):
            async with asyncio.timeout(60):
                await self.stack.sessions.push(self.user, "note", {"n": number}, key=f"k{number}")


@pytest.fixture(scope="module")
async def module_stack(platform: Platform, redis: RedisServer, servers: Servers, template: str) -> AsyncIterator[Stack]:
    async with fresh_database(servers, template) as address, open_redis(redis.address()) as connection:
        kinds = {"actors.sessions:KIND": LiveSessionPolicy()}
        options: dict[str, Any] = {"kinds": kinds, "redis": redis.address(), "coordinators": 1}
        async with running(address, **options) as runtime, connect_database(address, pool_size=2) as database:
            brand = runtime.options.name
            realtime = RealtimeOptions(
                brand=brand,
                runtime=brand,
                database=address,
                redis_url=redis.address(),
                secret=SECRET,
                listen="127.0.0.1",
                url="ws://127.0.0.1:{port}/realtime",
                policy=RealtimePolicy(drain_spread_s=0.5),
            )
            reconciler = start_realtime(realtime)
            sessions = SessionCalls(runtime.router, PresenceAccess(database), timeout=30)
            directory = HostDirectory(connection, brand)
            admissions = RealtimeService(realtime.policy, TicketStore(connection, brand), directory, Random(1))
            yield Stack(runtime, redis, reconciler, sessions, admissions)
            await asyncio.to_thread(stop_realtime, brand)


@pytest.fixture
async def stack(module_stack: Stack) -> Stack:
    """The stack, well again after the test before."""
    await module_stack.ready()
    return module_stack


async def read(client: RealtimeClient, until: Callable[[Received], bool]) -> list[Received]:
    seen = []
    async for received in client:
        seen.append(received)
        if until(received):
            return seen
    raise AssertionError("the stream ended")


async def expect(client: RealtimeClient, first: int, last: int) -> None:
    """The client sees the notes first..last, each once, in order, and is told of no gap."""
    async with asyncio.timeout(120):
        seen = await read(client, lambda received: _note(received) == last)
    assert [number for received in seen if (number := _note(received))] == list(range(first, last + 1))
    assert all(isinstance(received, Event) for received in seen)


def _note(received: Received) -> int | None:
    number: int | None = received.data["n"] if isinstance(received, Event) and received.kind == "note" else None
    return number


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


async def test_a_new_node_gets_a_host_and_a_drained_one_sends_its_clients_elsewhere(
    stack: Stack, platform: Platform
) -> None:
    person = Person(stack)
    client = await person.connect()
    before = await stack.reconciler.hosts.remote()
    added = await asyncio.to_thread(platform.add_worker)
    try:
        by_node = await eventually(lambda: _more_nodes(stack, before), timeout=120)
        ((newcomer,),) = (handles for node, handles in by_node.items() if node not in before)
        await eventually(partial(stack.lists, newcomer), timeout=120)
        old = await stack.host_in_use()
        (node,) = (node for node, handles in by_node.items() if old in handles)
        await person.push(1, 5)
        gone = (await old.status.remote())["url"]
        await stack.reconciler.drain.remote(node)
        assert gone not in await stack.addresses()
        await person.push(6, 10)
        await expect(client, 1, 10)
        assert client.connections == 2
        assert await stack.host_in_use() != old
        await client.close()
    finally:
        await asyncio.to_thread(platform.remove_worker, added)


async def _more_nodes(stack: Stack, before: dict[str, Any]) -> dict[str, Any] | None:
    by_node: dict[str, Any] = await stack.reconciler.hosts.remote()
    return by_node if by_node.keys() - before.keys() else None


@pytest.mark.parametrize("forgets", [False, True], ids=["with its data", "empty"])
async def test_redis_is_killed_and_started_again(stack: Stack, forgets: bool) -> None:
    """Pushes go on meanwhile; afterwards tickets are to be had, and a crash of everything else loses nothing either."""
    person = Person(stack)
    client = await person.connect()
    await person.push(1, 10)
    await expect(client, 1, 10)

    process = stack.redis.processes.find(RedisServer.NAME)
    assert process is not None
    process.kill()
    await asyncio.to_thread(process.wait, 10)
    await person.push(11, 20)
    await stack.sessions.set_unread(person.user, "inbox", 7)
    with pytest.raises(TicketUnavailable):
        await person.ticket()
    if forgets:
        shutil.rmtree(stack.redis.processes.root / "redis" / "appendonlydir")
    await asyncio.to_thread(stack.redis.start)
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
