"""The processes of the model: routers, hosts and the leader's hands, thin as the real ones, without sockets and Ray."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import msgpack

from actors.runtime.calls import CallTable
from actors.runtime.entity import Value
from actors.runtime.errors import HostUnavailable, RuntimeFault, from_wire
from actors.runtime.fleet import RELEASE_SECONDS, Claim
from actors.runtime.frames import DONE, pack_body, unpack
from actors.runtime.shards import MapView
from actors.runtime.tenure import Tenure
from cluster.shards import DATABASE_FAULTS, HostRow
from tests.unit.runtime.book import book_runner
from tests.unit.runtime.database import HostStore
from tests.unit.runtime.simulation import Passage

if TYPE_CHECKING:
    from tests.unit.runtime.world import World

LATE = -1
"""The status that the model gives to calls whose deadline passed at the router."""
FOREVER = float("inf")


class Client:
    """A router without sockets: the real table of calls, over the model's network."""

    def __init__(self, world: World, name: str, process: str = "") -> None:
        self.name = name
        self.caller = next(world.callers).to_bytes(8)
        """No two routers share one, nor do those before and after a restart."""
        self.table = CallTable()
        self.connections: dict[str, int] = {}
        """How many connections to each host broke."""
        self._world = world
        self.process = process
        """Whose router it is; "" if a router outside."""
        self._news = asyncio.Event()

    def send(self, host: str = "") -> None:
        """Sends the calls that wait for a host, or for any."""
        for lane in [host] if host else list(self.table.lanes):
            while frame := self.table.batch(lane, self._world.loop.now):
                connection = self.connections.setdefault(lane, 0)
                arrive = partial(self._world.deliver, self, lane, connection, frame)
                at = lane.rpartition(".")[0]
                what = f"{self.name} to {lane}: {unpack(frame[4:])[1:]}"
                self._world.network.send(Passage(what, at, arrive, partial(self.broke, lane, connection)))

    def answered(self, host: str, connection: int, packed: bytes) -> None:
        if connection == self.connections.get(host):
            number, status, value = msgpack.unpackb(packed)
            call = self.table.answer(host, number, status, value, self._world.loop.now)
            if call is not None:
                call.waiter(status, value)
            self._go_on()

    def broke(self, host: str, connection: int, _late: bool = False) -> None:
        """This connection to a host breaks, if it has not yet; there is another at once."""
        if connection == self.connections.setdefault(host, 0):
            self.connections[host] = connection + 1
            self.table.lost(host)
            self._go_on()

    def follow(self, view: MapView) -> None:
        for call in self.table.mapped(view, self._world.loop.now):
            call.waiter(HostUnavailable.status, "gone")
        self._news.set()
        self._go_on()

    def tick(self) -> None:
        for call in self.table.tick(self._world.loop.now):
            call.waiter(LATE, None)
        self._go_on()

    def _go_on(self) -> None:
        if self.process:
            self.send()

    # --- what a host asks of its router -------------------------------------------------------------------

    async def knows(self, host: str, within: float) -> None:
        try:
            async with asyncio.timeout(within):
                while host not in self.table.view.hosts:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise HostUnavailable(f"no news of {host}") from None

    def call_host(self, host: str, what: str, message: Value, timeout: float) -> asyncio.Future[Value]:
        future: asyncio.Future[Value] = asyncio.get_running_loop().create_future()

        def settle(status: int, value: Any) -> None:
            if not future.done():
                if status == DONE:
                    future.set_result(value)
                else:
                    future.set_exception(from_wire(status, value))

        try:
            self.table.add_for(host, what, pack_body(message), self._world.loop.now + timeout, settle)
        except RuntimeFault as fault:
            future.set_exception(fault)
        self._go_on()
        return future


class Process:
    """A host's process: it goes through incarnations until it ends."""

    def __init__(self, world: World, name: str, node: str) -> None:
        self.name = name
        self.node = node
        self.alive = True
        self.heard: dict[tuple[bytes, str], int] = {}
        """The newest connection per client and incarnation that spoke."""
        self._world = world
        store = cast(Any, HostStore(world.database, world.network, name))
        self.router = Client(world, f"@{name}", name)
        self.tenure = Tenure(store, cast(Any, self.router))
        self.tenure.residents.add_kind(book_runner(world.database, world.network, name, store, world.received))
        self._enlist()

    @property
    def host(self) -> str:
        return self.tenure.residents.host

    def _enlist(self) -> None:
        host = f"{self.name}.{next(self._world.incarnations):04}"
        self.tenure.residents.host = host
        self.tenure.residents.serve_until = FOREVER
        self._world.database.hosts[host] = HostRow(host, self.name, self.node, "", "", False, {})

    def beat(self) -> None:
        """What ShardHost does with each heartbeat."""
        database = self._world.database
        if not self.alive:
            return
        if self.host not in database.hosts:
            self.tenure.abandon()
            self._world.disconnect(self.host)
            self._enlist()
            return
        database.expired.discard(self.host)
        released, refused = self.tenure.moves()
        load = {"released": released, "refused": refused}
        database.hosts[self.host] = replace(database.hosts[self.host], load=load)
        self.tenure.residents.serve_until = FOREVER
        if database.version > self.tenure.version:
            asyncio.get_running_loop().create_task(self.tenure.sync_quietly())

    def stall(self) -> None:
        """It does not beat for longer than its lease."""
        self.tenure.residents.serve_until = self._world.loop.now
        self._world.database.expired.add(self.host)

    def tidy(self) -> None:
        self.tenure.residents.passivate(self._world.loop.now)
        self.tenure.forget_incoming(self._world.loop.now)


class Fleet:
    """The leader's hands: Ray calls to host processes, which may get lost."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def ensure(self, name: str) -> None:
        if self._world.process(name) is None:
            self._world.start(name)

    async def stop(self, name: str, *, restart: bool = False) -> None:
        process = self._world.process(name)
        if process is not None:
            self._world.kill(process, restart=restart)

    async def poke(self, name: str, version: int) -> None:
        process = self._world.process(name)
        if process is not None:

            async def sync() -> None:
                if process.alive:
                    with contextlib.suppress(*DATABASE_FAULTS):
                        await process.tenure.sync(version)

            self._call(f"poke {name}", process, sync)

    async def release(self, name: str, version: int, claims: Sequence[Claim]) -> tuple[list[Claim], list[Claim]]:
        process = self._world.process(name)
        if process is None:
            raise HostUnavailable(f"no host {name}")
        answer: asyncio.Future[tuple[list[Claim], list[Claim]]] = asyncio.get_running_loop().create_future()

        def lose(_: bool) -> None:
            if not answer.done():
                answer.set_exception(HostUnavailable(f"{name} does not answer"))

        async def release() -> None:
            try:
                outcome = await process.tenure.release(version, claims)
            except DATABASE_FAULTS:
                lose(False)
                return

            def arrive() -> None:
                if not answer.done():
                    answer.set_result(outcome)

            self._world.network.send(Passage(f"{name} released, refused: {outcome}", "", arrive, lose))

        self._call(f"release {claims}", process, release, lose)
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                return await answer
        except TimeoutError:
            raise HostUnavailable(f"{name} does not answer") from None

    def _call(
        self, what: str, process: Process, work: Callable[[], Any], lose: Callable[[bool], None] = lambda _: None
    ) -> None:
        def arrive() -> None:
            if process.alive:
                asyncio.get_running_loop().create_task(work())
            else:
                lose(False)

        self._world.network.send(Passage(what, process.name, arrive, lose))
