"""Sockets and sessions on the cluster of the tests, and people with clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID, uuid4

import ray
from ray.exceptions import RayError

from actors.realtime.actor import RealtimeOptions
from actors.realtime.placement import Place
from actors.realtime.reconciler import RealtimeReconciler
from actors.sessions.calls import SessionCalls
from client.realtime import Event, RealtimeClient, Received, Resync, Ticket, TicketUnavailable
from cluster.postgres import connect_database
from cluster.redis import open_redis
from features.errors import Unavailable
from features.identity import Identity
from features.live_sessions.policy import LiveSessionPolicy
from features.live_sessions.presence import PresenceAccess
from features.realtime.errors import SessionsUnavailable
from features.realtime.policy import RealtimePolicy
from features.realtime.service import RealtimeService
from features.realtime.store import HostDirectory, TicketStore
from tests.cluster.conftest import SECRET, RunningRuntime, eventually

SESSIONS = {"actors.sessions:KIND": LiveSessionPolicy()}


@dataclass
class Stack:
    """Shard hosts, and realtime hosts on the nodes, as a gateway replica sees them."""

    runtime: RunningRuntime
    options: RealtimeOptions
    sessions: SessionCalls
    admissions: RealtimeService
    target: str = ""
    """The version of the code that hosts should run."""

    @asynccontextmanager
    async def reconciled(self) -> AsyncIterator[None]:
        """Meanwhile two processes reconcile, as consumers replicas do."""
        tasks = [asyncio.create_task(self._reconcile()) for _ in range(2)]
        try:
            yield
            for task in tasks:
                assert not task.done(), task.exception()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _reconcile(self) -> None:
        options, reconciler = self.options, RealtimeReconciler(self.options)
        while True:
            if self.options != options:
                options, reconciler = self.options, RealtimeReconciler(self.options)
            await reconciler.reconcile(self.target)
            await asyncio.sleep(0.5)

    async def hosts_by_place(self) -> dict[Place, Any]:
        return await RealtimeReconciler(self.options).hosts()

    async def hosts(self) -> list[Any]:
        return list((await self.hosts_by_place()).values())

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
            hosts = await self.hosts()
            return bool(hosts) and all([await self.lists(host) for host in hosts])

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
        """As features push: again, with the same key, while the sessions cannot be reached."""
        for number in range(first, last + 1):
            async with asyncio.timeout(120):
                while not await self._pushed(number):
                    await asyncio.sleep(0.1)

    async def _pushed(self, number: int) -> bool:
        try:
            await self.stack.sessions.push(self.user, "note", {"n": number}, key=f"k{number}")
        except SessionsUnavailable:
            return False
        return True


@asynccontextmanager
async def stack_on(runtime: RunningRuntime, **changes: Any) -> AsyncIterator[Stack]:
    """The stack on a runtime that hosts SESSIONS. Nothing reconciles its realtime hosts yet; they end with it."""
    brand, database = runtime.options.name, runtime.options.database
    options = RealtimeOptions(
        brand=brand,
        runtime=brand,
        database=database,
        redis_url=runtime.options.redis,
        secret=SECRET,
        listen="127.0.0.1",
        url="ws://127.0.0.1:{port}/realtime",
        policy=RealtimePolicy(drain_spread_s=0.5),
        **changes,
    )
    async with open_redis(options.redis_url) as redis, connect_database(database, pool_size=2) as connection:
        sessions = SessionCalls(runtime.router, PresenceAccess(connection), timeout=30)
        tickets = TicketStore(redis, brand)
        admissions = RealtimeService(options.policy, tickets, HostDirectory(redis, brand), Random(1))
        stack = Stack(runtime, options, sessions, admissions)
        yield stack
        for host in await stack.hosts():
            ray.kill(host)


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
        seen = await read(client, lambda received: note(received) == last)
    assert [number for received in seen if (number := note(received))] == list(range(first, last + 1))
    assert all(isinstance(received, Event) for received in seen)


def note(received: Received) -> int | None:
    """The number that somebody was pushed; None for anything else."""
    number: int | None = received.data["n"] if isinstance(received, Event) and received.kind == "note" else None
    return number
