"""A whole runtime in one thread: real leaders, hosts and call tables over the model's database and network.

Whatever happens, an operation is stored at most once, and once if it was acknowledged; what is read is what was
stored, and nothing older than what was acknowledged before; every call is settled once. A line that a durable timer is
to write is stored once, in the transaction that deletes the timer, unless that was cancelled or replaced before.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Any, cast
from unittest.mock import patch

from structlog.testing import capture_logs

from actors.runtime.coordination.leader import Leader
from actors.runtime.coordination.plan import ShardPlan
from actors.runtime.errors import CallError, EntityFailed
from actors.runtime.hosting.deduplication import Origin
from actors.runtime.hosting.ownership import Status
from actors.runtime.options import ScalingPolicy
from actors.runtime.shard_map import SHARDS, Endpoint, MapPosition, MapView, shard_of
from actors.runtime.store.rows import LostLeadership
from actors.runtime.transport.frames import DONE, pack_body, unpack, unpack_body
from actors.runtime.transport.ray_control import SURGE_HOST, host_name
from tests.unit.runtime.book import KIND, Book
from tests.unit.runtime.database import Database, LeaderStore, line_of
from tests.unit.runtime.network import Network, Passage, SteppedLoop
from tests.unit.runtime.processes import Client, HostActors, Process, StartFailure

FEW = 3
"""Shards that the coordinator knows of."""
PACE = 0.05
"""Seconds that a round takes in which all goes well."""
LEASE = 2.0
"""Seconds after its death for which a host that is not known to be dead owns its shards."""


def _entity_in(shard: int, nth: int = 0) -> str:
    """An id whose shard this is."""
    return next(itertools.islice((str(n) for n in itertools.count() if shard_of(str(n)) == shard), nth, None))


ENTITIES = (_entity_in(0), _entity_in(0, 1), _entity_in(1), _entity_in(2))


@dataclass(eq=False)
class Operation:
    """A call of the test's, and what must hold for its answer."""

    name: str
    entity: str
    what: str
    """"write", "read", "plan" or "unplan"."""
    deadline: float
    acknowledged_before: frozenset[str]
    planned_before: frozenset[str]
    crossed: bool = False
    """Whether another call that sets or cancels the entity's timer was under way at the same time: of those that share
    a turn, only the last has an effect."""
    settled: bool = False
    lost: bool = False
    """Whether the database went back while it was under way, or before and not all hosts know: what it is told may be
    of the history that is no more."""


class WayBack:
    """Where a host's answers to one connection go."""

    def __init__(self, simulation: Simulation, process: Process, client: Client, connection: int) -> None:
        self._simulation = simulation
        self._process = process
        self._client = client
        self._host = process.host
        self._connection = connection

    def answer(self, packed: bytes) -> None:
        """See answers.Origin."""
        if self._process.alive:
            client, way = self._client, (self._host, self._connection)
            arrive, lose = partial(client.answered, *way, packed), partial(client.broke, *way)
            what = f"{self._host} answers {client.name}: {packed!r}"
            self._simulation.network.send(Passage(what, client.process or client.name, arrive, lose))


class Simulation:
    """Two routers, a leader and its hosts."""

    def __init__(self, hosts: int = 3) -> None:
        self.loop = SteppedLoop(expected=(CallError, TimeoutError, OSError, LostLeadership))
        self._patches = contextlib.ExitStack()
        self._patches.enter_context(capture_logs())  # Nobody reads them, and printing takes most of the time.
        # One entity a part: handoffs of several parts.
        self._patches.enter_context(patch("actors.runtime.hosting.handoff._PART", 0))
        few = partial(ShardPlan, shards=FEW)
        self._patches.enter_context(patch("actors.runtime.coordination.leader.ShardPlan", few))
        self.network = Network(self.loop)
        self.database = Database()
        self.incarnations = itertools.count(1)
        self.workers = itertools.count(1)
        self.ended_workers: set[str] = set()
        """What Ray's head has heard of the ends of processes."""
        self.told_of_ends: list[Callable[[str], None]] = []
        """Of all leaders, also of those that lead no more."""
        self._leases_end: dict[str, float] = {}
        """When the leases of hosts end whose process has ended."""
        self.callers = itertools.count(1)
        self._nodes = itertools.count(1)
        self.code_on_disk = "v1"
        self.processes: list[Process] = []
        self.start_failures: list[StartFailure] = []
        """What happens to the next hosts that start."""
        self.clients = [Client(self, "router-1"), Client(self, "router-2")]
        self.views = [MapView()]
        self.operations: list[Operation] = []
        self._acknowledged: dict[str, set[str]] = {entity: set() for entity in ENTITIES}
        self._latest_start: dict[str, float] = {}
        self._late: list[str] = []
        self._denied: dict[str, str] = {}
        """Operations that failed of a lost connection, with their entities: nothing of them is ever stored."""
        self.elect(hosts)
        for _ in range(6):
            self.go_on()

    def close(self) -> None:
        self.loop.end()
        self._patches.close()

    # --- calls --------------------------------------------------------------------------------------------

    def call(self, client: Client, entity: str, *, write: bool, timeout: float) -> Operation:
        """A new call, queued."""
        return self._call(client, entity, "write" if write else "read", timeout)

    def plan(self, client: Client, entity: str, *, seconds: float, timeout: float) -> Operation:
        """A call that sets the entity's timer, queued."""
        return self._call(client, entity, "plan", timeout, seconds)

    def unplan(self, client: Client, entity: str, *, timeout: float) -> Operation:
        """A call that cancels the entity's timer, queued."""
        return self._call(client, entity, "unplan", timeout)

    def _call(self, client: Client, entity: str, what: str, timeout: float, *rest: float) -> Operation:
        name = f"{what} {len(self.operations)}"
        deadline = self.loop.now + timeout
        planned = frozenset(line_of(row) for row in self.database.timers.values() if row.entity_id == entity)
        operation = Operation(name, entity, what, deadline, frozenset(self._acknowledged[entity]), planned)
        for other in self.operations:
            if other.entity == entity and not other.settled and {other.what, what} <= {"plan", "unplan"}:
                other.crossed = operation.crossed = True
        operation.lost = not all(process.finds_what_it_wrote() for process in self.living())
        self.operations.append(operation)
        body = pack_body([what, name, *rest])
        client.table.add(KIND, entity, body, deadline, partial(self._settled, operation))
        return operation

    def _settled(self, operation: Operation, status: int, value: Any) -> None:
        assert not operation.settled, "settled twice"
        operation.settled = True
        stored = self.database.lines.get(operation.entity, [])
        if operation.lost:
            return
        if status != DONE:
            failed = status == EntityFailed.status and value.startswith("OSError")
            if failed:
                self._denied[operation.name] = operation.entity
            failed |= status == EntityFailed.status and self._writes_what_is_rejected(operation.entity)
            late = operation.deadline <= self.loop.now + 0.002
            assert failed or late, f"{operation} failed before its deadline: {status} {value!r}"
        elif operation.what == "plan":
            stored_once = operation.name in self.database.planned or operation.crossed
            assert stored_once, f"{operation} was acknowledged and not stored"
        elif operation.what == "unplan":
            still_set = [line for line in operation.planned_before if self.database.planned[line] == "set"]
            assert not still_set, f"{operation} was acknowledged, and {still_set} are still to be written"
        elif operation.what == "write":
            assert stored[value - 1 : value] == [operation.name], f"{operation} was acknowledged as line {value}"
            self._acknowledged[operation.entity].add(operation.name)
        else:
            assert value == stored[: len(value)], f"{operation} was told {value}"
            assert operation.acknowledged_before <= set(value), f"{operation} was told old news: {value}"

    def _writes_what_is_rejected(self, entity: str) -> bool:
        names = {operation.name for operation in self.operations if operation.entity == entity}
        return bool(names & self.database.rejected)

    def received(self, name: str, now: float) -> None:
        """An entity received an operation."""
        if now >= self._latest_start[name]:
            self._late.append(name)

    def deliver(self, client: Client, host: str, connection: int, frame: bytes) -> None:
        """A CALLS frame comes to where a host lives or lived."""
        process = self.process(host.rpartition(".")[0])
        if process is None or process.host != host:
            client.broke(host, connection)
            return
        # Once a connection speaks, the host reads no more from those before it.
        newest = max(connection, process.heard.get((client.caller, host), 0))
        process.heard[client.caller, host] = newest
        if connection < newest:
            return
        items = unpack(frame[4:])
        for _, kind, _, left, body in items[2:]:
            if kind == KIND:
                until = self.loop.now + left / 1000
                _, operation, *_ = unpack_body(body)
                self._latest_start[operation] = max(until, self._latest_start.get(operation, 0.0))
        origin: Origin = WayBack(self, process, client, connection)
        process.shard_owner.mailboxes.deliver(origin, client.caller, items)

    # --- processes ----------------------------------------------------------------------------------------

    def process(self, name: str) -> Process | None:
        """The living process of this name."""
        return next((process for process in self.living() if process.name == name), None)

    def living(self) -> list[Process]:
        return [process for process in self.processes if process.alive]

    def routers(self) -> list[Client]:
        return [*self.clients, *(process.router for process in self.living())]

    def start(self, name: str, node: str = "") -> None:
        failure = self.start_failures.pop(0) if self.start_failures else None
        if failure is not StartFailure.IN_CONSTRUCTOR:
            self.processes.append(Process(self, name, node or f"node-{next(self._nodes)}", failure))

    def kill(self, process: Process, *, restart: bool) -> None:
        """The process ends; its statements under way may still take effect. Ray may start it again in place, and tells
        of the end, perhaps late, twice or never."""
        process.alive = False
        self._leases_end[process.host] = self.loop.now + LEASE
        end, lose = partial(self._ended, process.worker), partial(self._end_is_lost, process.worker)
        self.network.send(Passage(f"the end of {process.worker}", "", end, lose))
        process.timers.cancel()
        self.loop.create_task(process.committer.close())
        self.loop.create_task(process.shard_owner.close())
        self.disconnect(process.host)
        if restart:
            self.start(process.name, process.node)

    def _ended(self, worker: str) -> None:
        self.ended_workers.add(worker)
        self.announce_end(worker)

    def _end_is_lost(self, worker: str, late: bool) -> None:
        """Ray's head was away, or only did not get round to telling."""
        if late:
            self.ended_workers.add(worker)

    def announce_end(self, worker: str) -> None:
        """Ray's head says that a process has ended, which may not be so."""
        for announced in self.told_of_ends:
            announced(worker)

    def restore(self, go_back: Callable[[], None]) -> None:
        """The database goes back, all of it. What was acknowledged and is lost is for nobody to find."""
        go_back()
        for entity, acknowledged in self._acknowledged.items():
            acknowledged.intersection_update(self.database.lines.get(entity, ()))
        for operation in self.operations:
            operation.lost |= not operation.settled

    def disconnect(self, host: str) -> None:
        for client in self.routers():
            client.broke(host, client.connections.get(host, 0))

    # --- the coordinator ----------------------------------------------------------------------------------

    def elect(self, hosts: int) -> Leader:
        """A new leader, which wants this many hosts; whoever led does not know yet. Returns the new one."""
        self.wanted = {host_name(index) for index in range(hosts)}
        policy = ScalingPolicy(min_hosts=hosts, max_hosts=hosts)
        store, host_actors = cast(Any, LeaderStore(self.database)), cast(Any, HostActors(self))
        leadership = self.database.lead()
        self.leader = Leader(
            leadership,
            store,
            host_actors,
            [KIND],
            policy,
            self._publish,
            clock=self.loop,
            code_version=self.code_on_disk,
        )
        self.loop.do(lambda: self.loop.create_task(self.leader.load()))
        return self.leader

    def deploy(self, version: str) -> None:
        """Another version of the code comes to all nodes, and a leader that runs it."""
        self.code_on_disk = self.database.target_version = version
        self.elect(len(self.wanted))

    def look(self, leader: Leader) -> None:
        """A leader looks at the hosts and does what follows. Its coordinator then publishes the map, also one that went
        back and in which nothing is to be changed."""

        async def step() -> None:
            await leader.tick(self.loop.now)
            if leader.position != self.views[-1].position:
                await self._publish(leader.position)

        self.loop.do(lambda: self.loop.create_task(step()))

    async def _publish(self, position: MapPosition) -> None:
        rows, hosts = self.database.rows, self.database.hosts
        owners = [rows[shard].host if shard in rows else "" for shard in range(FEW)] + [""] * (SHARDS - FEW)
        endpoints = {host: Endpoint(row.name, row.node, "", "", host) for host, row in hosts.items()}
        self.views.append(MapView(position.version, endpoints, {KIND: owners}, position.generation))

    # --- time in which all goes well ----------------------------------------------------------------------

    def pass_time(self, seconds: float) -> None:
        self.loop.now += seconds
        over = {host for host, end in self._leases_end.items() if end <= self.loop.now}
        self._leases_end = {host: end for host, end in self._leases_end.items() if host not in over}
        self.database.expired |= over
        self.loop.do(*(client.tick for client in self.routers()))

    def go_on(self, asleep: Collection[str] = (), pace: float = PACE) -> None:
        """A round in which all goes well, but for processes and routers (by name) that are asleep."""
        awake = [process for process in self.living() if process.name not in asleep]
        clients = [client for client in self.clients if client.name not in asleep]
        routers = [*clients, *(process.router for process in awake)]
        if self.database.position != self.leader.position:
            # It finds out at its next tick, and begins another term.
            self.look(self.leader)
            self.elect(len(self.wanted))
        self.look(self.leader)
        self.loop.do(*(partial(client.follow, self.views[-1]) for client in routers))
        self.loop.do(*(process.beat for process in awake))
        self.pass_time(pace)
        for client in clients:
            client.send()
        for _ in range(5):
            for passage in list(self.network.under_way):
                if passage.waits_for not in asleep:
                    self.network.arrive(passage)

    def calm_down(self) -> None:
        """The simulation calms down: every call that has time left is answered, and everything stored can be read."""
        self.start_failures.clear()
        for _ in range(8):
            # As long as the leader waits for a host's start, and then twice as long.
            self.pass_time(400.0 if self._broken() else 0.0)
            self.go_on()
        assert not self._broken(), "a host that does not serve was never replaced"
        self._go_on_until_quiet()
        # Handoffs that came to nothing are forgotten after a while, and calls that waited for them go elsewhere.
        self.pass_time(31.0)
        self.loop.do(*(process.sweep for process in self.living()))
        self._go_on_until_quiet()
        for entity in ENTITIES:
            self.call(self.clients[0], entity, write=False, timeout=1000.0)
        self._go_on_until_quiet()
        self._wait_for_timers()
        unsettled = [operation for operation in self.operations if not operation.settled]
        assert not unsettled, "calls were never answered"
        assert not self._unrest(), "moves were never finished"
        assert not self._update_under_way(), "hosts of another version were never replaced"

    def _wait_for_timers(self) -> None:
        for _ in range(40):
            # Those whose line the database does not take are tried for ever.
            left = [timer for timer in self.database.timers.values() if line_of(timer) not in self.database.rejected]
            if not left:
                return
            self.pass_time(20.0)
            self.go_on()
            self.check()
        raise AssertionError(f"these timers never fired: {left}")

    def _broken(self) -> list[Process]:
        """Processes of wanted hosts that do not serve."""
        wanted = self.wanted | ({SURGE_HOST} if self._update_under_way() else set())
        return [process for process in self.living() if process.failure and process.name in wanted]

    def _update_under_way(self) -> bool:
        hosts, target = self.database.hosts.values(), self.database.target_version
        return any(row.name == SURGE_HOST or (target and row.code_version != target) for row in hosts)

    def _go_on_until_quiet(self) -> None:
        for _ in range(60):
            self.go_on()
            self.check()
            if (
                not self._unrest()
                and not self._update_under_way()
                and not any(len(client.table) for client in self.clients)
            ):
                return
            self.pass_time(0.2)

    def _unrest(self) -> bool:
        """Whether shards move, or have to."""
        rows, hosts = self.database.rows.values(), self.database.hosts
        able = {process.host for process in self.living() if process.host in hosts}
        settled = all(row.host in able and not row.moving_to and not hosts[row.host].draining for row in rows)
        return not settled

    # --- what holds at any time ---------------------------------------------------------------------------

    def check(self) -> None:
        written = [line for lines in self.database.lines.values() for line in lines]
        assert len(written) == len(set(written)), "an operation is stored twice"
        assert not self.database.violations
        for name, entity in self._denied.items():
            stored = self.database.lines.get(entity, ())
            assert not {name} & {*stored, *self.database.planned}, f"{name} failed and is stored"
        assert not self._late, "an entity received what was past its deadline"
        open_calls = {(client.caller, number) for client in self.clients for number in client.table._pending}
        assert not open_calls & set(self.database.collisions), "an open call ran twice"
        for shard in range(FEW):
            self._check_shard(shard)

    def _check_shard(self, number: int) -> None:
        row = self.database.rows[number]
        serving = []
        for process in self.living():
            shard = process.shard_owner.mailboxes.shard(KIND, number)
            # After the database went back, who knows more than is stored serves what it has in memory until its next
            # heartbeat; its writes are refused.
            aware = process.knows_what_is_stored()
            if aware and shard.serving and process.shard_owner.mailboxes.serve_until > self.loop.now:
                serving.append(process.host)
            ownership = shard.ownership
            owned = row.host == process.host and row.epoch == ownership.epoch
            if not aware or not owned or ownership.status not in (Status.ACTIVE, Status.DRAINING, Status.RELEASED):
                continue
            for entity_id, mailbox in shard.mailboxes.items():
                if mailbox.inbox is None and (mailbox.entity is not None or mailbox.frozen is not None):
                    lines = (
                        mailbox.entity.lines
                        if isinstance(mailbox.entity, Book)
                        else mailbox.frozen and mailbox.frozen[1]
                    )
                    assert lines == self.database.lines.get(entity_id, []), f"{row.host} remembers {lines}"
        assert len(serving) <= 1, f"shard {number} is served by {serving}"
