"""The processes of the model: routers, hosts and the leader's hands, thin as the real ones, without sockets and Ray."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import msgpack

from actors.runtime.coordination.host_actors import RELEASE_SECONDS
from actors.runtime.errors import CallError, HostUnavailable, from_wire
from actors.runtime.hosting.committer import Committer
from actors.runtime.hosting.shard_owner import ShardOwner
from actors.runtime.shard_map import MapPosition, MapView
from actors.runtime.store.rows import DATABASE_ERRORS, Claim, HostRow
from actors.runtime.transport.calls import CallTable
from actors.runtime.transport.frames import DONE, pack_body, unpack
from actors.runtime.value import Value
from tests.unit.runtime.book import book_runner
from tests.unit.runtime.database import HostStore
from tests.unit.runtime.network import Passage

if TYPE_CHECKING:
    from tests.unit.runtime.simulation import Simulation


class StartFailure(Enum):
    """How the start of a host's process fails."""

    IN_CONSTRUCTOR = auto()
    """Ray gives the actor up, as if nobody had asked for it."""
    IN_HANDLER = auto()
    """A kind's handler cannot be opened: the process ends, and Ray starts it again."""
    HANGS = auto()
    """The process lives and never serves."""


LATE = -1
"""The status that the model gives to calls whose deadline passed at the router."""
FOREVER = float("inf")


class Client:
    """A router without sockets: the real table of calls, over the model's network."""

    def __init__(self, simulation: Simulation, name: str, process: str = "") -> None:
        self.name = name
        self.caller = next(simulation.callers).to_bytes(8)
        """No two routers share one, nor do those before and after a restart."""
        self.table = CallTable()
        self.connections: dict[str, int] = {}
        """How many connections to each host broke."""
        self._simulation = simulation
        self.process = process
        """Whose router it is; "" if a router outside."""
        self._news = asyncio.Event()

    def send(self, host: str = "") -> None:
        """Sends the calls that wait for a host, or for any."""
        for host_queue in [host] if host else list(self.table.queues):
            while frame := self.table.batch(host_queue, self._simulation.loop.now):
                connection = self.connections.setdefault(host_queue, 0)
                arrive = partial(self._simulation.deliver, self, host_queue, connection, frame)
                at = host_queue.rpartition(".")[0]
                what = f"{self.name} to {host_queue}: {unpack(frame[4:])[1:]}"
                self._simulation.network.send(Passage(what, at, arrive, partial(self.broke, host_queue, connection)))

    def answered(self, host: str, connection: int, packed: bytes) -> None:
        if connection == self.connections.get(host):
            number, status, value = msgpack.unpackb(packed)
            call = self.table.answer(host, number, status, value, self._simulation.loop.now)
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
        for call in self.table.mapped(view, self._simulation.loop.now):
            call.waiter(HostUnavailable.status, "gone")
        self._news.set()
        self._go_on()

    def tick(self) -> None:
        for call in self.table.tick(self._simulation.loop.now):
            call.waiter(LATE, None)
        self._go_on()

    def _go_on(self) -> None:
        if self.process:
            self.send()

    # --- what a host asks of its router -------------------------------------------------------------------

    async def wait_for_host(self, host: str, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
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
            self.table.add_for(host, what, pack_body(message), self._simulation.loop.now + timeout, settle)
        except CallError as error:
            future.set_exception(error)
        self._go_on()
        return future


class Process:
    """A host's process: it goes through incarnations until it ends."""

    def __init__(self, simulation: Simulation, name: str, node: str, failure: StartFailure | None) -> None:
        self.name = name
        self.node = node
        self.failure = failure
        self.worker = f"{name}:{next(simulation.workers)}"
        """Ray's id of it."""
        self.alive = True
        self.heard: dict[tuple[bytes, str], int] = {}
        """The newest connection per client and incarnation that spoke."""
        self._simulation = simulation
        self._code_version = simulation.code_on_disk
        self.store = HostStore(simulation.database, simulation.network, name, simulation.loop)
        store = cast(Any, self.store)
        self.router = Client(simulation, f"@{name}", name)
        self.committer = Committer(store)
        self.shard_owner = ShardOwner(store, cast(Any, self.router), simulation.loop)
        self.shard_owner.mailboxes.add_kind(
            book_runner(simulation.database, simulation.network, name, store, self.committer, simulation.received)
        )
        mailboxes = self.shard_owner.mailboxes
        self.timers = simulation.loop.create_task(mailboxes.durable_timers.run(store, mailboxes.served))
        if failure is None:
            self._register()

    @property
    def host(self) -> str:
        return self.shard_owner.mailboxes.host

    def _register(self) -> None:
        host = f"{self.name}.{next(self._simulation.incarnations):04}"
        self.shard_owner.mailboxes.host = host
        self.shard_owner.mailboxes.serve_until = FOREVER
        self._simulation.database.hosts[host] = HostRow(
            host, self.name, self.node, "", "", False, {"worker": self.worker}, self._code_version
        )

    def beat(self) -> None:
        """What ShardHost does with each heartbeat."""
        database = self._simulation.database
        if not self.alive or self.failure is StartFailure.HANGS:
            return
        if self.failure is StartFailure.IN_HANDLER:
            self._simulation.kill(self, restart=True)
            return
        known = self.shard_owner.position
        if self.host not in database.hosts or self.shard_owner.diverged or not self.knows_what_is_stored():
            self.shard_owner.abandon()
            self.store.history.forget()
            database.expired.add(self.host)
            self._simulation.disconnect(self.host)
            self._register()
            return
        database.expired.discard(self.host)
        database.beats[self.host] = self._simulation.loop.now
        self.store.history.beat(self._simulation.loop.now)
        released, refused = self.shard_owner.moves()
        load = {"worker": self.worker, "released": released, "refused": refused}
        database.hosts[self.host] = replace(database.hosts[self.host], load=load)
        self.shard_owner.mailboxes.serve_until = FOREVER
        if database.position != known or self.shard_owner.load_failed:
            asyncio.get_running_loop().create_task(self.shard_owner.sync_quietly())

    def knows_what_is_stored(self) -> bool:
        """False if the database went back behind what this host knows."""
        return self._simulation.database.continues(self.shard_owner.position) and self.finds_what_it_wrote()

    def finds_what_it_wrote(self) -> bool:
        """False if the database lacks what this host wrote."""
        return self._simulation.database.has(self.store.history.known(), self.host)

    def stall(self) -> None:
        """It does not beat for longer than its lease."""
        self.shard_owner.mailboxes.serve_until = self._simulation.loop.now
        self._simulation.database.expired.add(self.host)

    def sweep(self) -> None:
        self.shard_owner.mailboxes.passivate(self._simulation.loop.now)
        self.shard_owner.forget_incoming(self._simulation.loop.now)


class HostActors:
    """The leader's hands: Ray calls to host processes, which may get lost."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    async def ensure(self, name: str) -> None:
        if self._simulation.process(name) is None:
            self._simulation.start(name)

    async def nodes_without(self, code_version: str) -> list[str]:
        return [] if code_version == self._simulation.code_on_disk else ["a node"]

    async def existing(self) -> list[str]:
        return sorted({process.name for process in self._simulation.processes})

    async def leaving_nodes(self) -> frozenset[str]:
        return frozenset()

    async def follow_worker_ends(self, announced: Callable[[str], None]) -> None:
        self._simulation.told_of_ends.append(announced)

    async def process_has_ended(self, worker: str) -> bool:
        ended, network = self._simulation.ended_workers, self._simulation.network
        try:
            return await network.statement(f"whether {worker} has ended", "", lambda: worker in ended)
        except OSError:
            return False

    async def stop(self, name: str, *, restart: bool = False) -> None:
        process = self._simulation.process(name)
        if process is not None:
            self._simulation.kill(process, restart=restart)

    async def notify_map(self, name: str, position: MapPosition) -> None:
        process = self._simulation.process(name)
        if process is not None:

            async def sync() -> None:
                if process.alive and process.failure is None:
                    with contextlib.suppress(*DATABASE_ERRORS):
                        await process.shard_owner.sync(position)

            self._call(f"notify_map {name}", process, sync)

    async def release(
        self, name: str, position: MapPosition, claims: Sequence[Claim]
    ) -> tuple[list[Claim], list[Claim]]:
        process = self._simulation.process(name)
        if process is None:
            raise HostUnavailable(f"no host {name}")
        answer: asyncio.Future[tuple[list[Claim], list[Claim]]] = asyncio.get_running_loop().create_future()

        def lose(_: bool) -> None:
            if not answer.done():
                answer.set_exception(HostUnavailable(f"{name} does not answer"))

        async def release() -> None:
            outcome: tuple[list[Claim], list[Claim]] = ([], [])
            try:
                if process.failure is None:
                    outcome = await process.shard_owner.release(position, claims)
            except DATABASE_ERRORS:
                lose(False)
                return

            def arrive() -> None:
                if not answer.done():
                    answer.set_result(outcome)

            self._simulation.network.send(Passage(f"{name} released, refused: {outcome}", "", arrive, lose))

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

        self._simulation.network.send(Passage(what, process.name, arrive, lose))
