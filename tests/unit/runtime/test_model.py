"""The map, handoffs and routers together, over a network that reorders, loses and repeats messages.

The machines are the real ones; the world around them is a model: a database that checks fences, hosts that
turn into zombies or die, a coordinator that forgets. Whatever happens, an operation is in the database at
most once, and once if it was acknowledged; and when the world calms down, every call is answered.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from actors.runtime.answers import AnswerMemory, Entry
from actors.runtime.calls import CallTable
from actors.runtime.coordination import Coordination
from actors.runtime.frames import DONE, MOVED, NOT_MINE, STALE, unpack
from actors.runtime.ownership import Action, Ownership, Status
from actors.runtime.shards import SHARDS, Endpoint, MapView, shard_of
from cluster.shards import Answer, ShardRow

FEW = 3
"""Shards in the model; an entity's shard is its real one modulo this."""
KIND = "book"
Key = tuple[str, int]


class Database:
    """The rows, the log of operations per shard, and the answers stored with them."""

    def __init__(self) -> None:
        self.version = 0
        self.rows: dict[int, ShardRow] = {}
        self.row_versions: dict[int, int] = {}
        self.log: list[str] = []
        self.lines: dict[int, list[str]] = {shard: [] for shard in range(FEW)}
        self.epochs: dict[int, list[int]] = {shard: [] for shard in range(FEW)}
        self.answers: dict[int, list[Answer]] = {shard: [] for shard in range(FEW)}
        self.refused: list[int] = []
        """Calls whose second run only the primary key of stored answers stopped."""

    def write(self, rows: list[ShardRow]) -> None:
        if rows:
            self.version += 1
        for row in rows:
            old = self.rows.get(row.shard)
            assert old is None or row.epoch >= old.epoch, "an epoch went backwards"
            assert old is None or row.epoch > old.epoch or row.host == old.host, "an epoch has two owners"
            self.rows[row.shard] = row
            self.row_versions[row.shard] = self.version

    def commit(self, host: str, shard: int, epoch: int, operation: str, answer: Answer) -> bool:
        row = self.rows[shard]
        if row.host != host or row.epoch != epoch:
            return False
        if any((a.caller, a.call) == (answer.caller, answer.call) for a in self.answers[shard]):
            self.refused.append(answer.call)
            return False
        self.log.append(operation)
        self.lines[shard].append(operation)
        self.epochs[shard].append(epoch)
        self.answers[shard].append(answer)
        return True


@dataclass
class Turn:
    """Received, not committed yet."""

    shard: int
    caller: bytes
    call: int
    operation: str
    epoch: int
    generation: int


@dataclass
class Host:
    name: str
    version: int = 0
    rows: dict[int, ShardRow] = field(default_factory=dict)
    shards: dict[int, Ownership] = field(default_factory=lambda: {s: Ownership() for s in range(FEW)})
    generation: dict[int, int] = field(default_factory=lambda: dict.fromkeys(range(FEW), 0))
    held: dict[int, list[tuple[int, str, Entry]]] = field(default_factory=lambda: {s: [] for s in range(FEW)})
    memory: AnswerMemory = field(default_factory=AnswerMemory)
    turns: list[Turn] = field(default_factory=list)
    lines: dict[int, list[str]] = field(default_factory=lambda: {s: [] for s in range(FEW)})
    """What is in memory per shard: the operations, as the host believes them to be stored."""


class Silent:
    """An origin whose answers go over the model's network."""

    def __init__(self, runtime: Runtime, host: Host, call: int) -> None:
        self._runtime, self._host, self._call = runtime, host, call

    def answer(self, packed: bytes) -> None:
        self._runtime._answer(self._host, self._call, DONE, None)


CALLER = b"router-1"


class Runtime(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.database = Database()
        self.hosts: dict[str, Host] = {}
        self.buried: set[str] = set()
        self.started = 0
        self.coordination = Coordination([KIND], shards=FEW)
        self.table = CallTable()
        self.network: list[tuple[Any, ...]] = []
        self.acknowledged: list[str] = []
        self.expired: list[str] = []
        self.operations = 0
        self.start_host()
        self.start_host()
        self.repair()
        for name in list(self.hosts):
            self._sync(self.hosts[name])
            self._load(self.hosts[name])
        self.map_reaches_router()

    # --- the router ---------------------------------------------------------------------------------------

    @precondition(lambda self: self.operations < 40)
    @rule(entity=st.sampled_from("abcdef"), timeout=st.sampled_from([5.0, 1000.0]))
    def call(self, entity: str, timeout: float) -> None:
        self.operations += 1
        operation = f"{entity}{self.operations}"
        body = b"\xa0"[:0] + _packed(operation)
        self.table.add(KIND, entity, body, self.now + timeout, operation)

    @rule()
    def flush(self) -> None:
        for host in list(self.table.lanes):
            frame = self.table.batch(host, self.now)
            if frame:
                self.network.append(("calls", host, unpack(frame[4:])))

    @rule()
    def map_reaches_router(self) -> None:
        hosts = {h: Endpoint(h, "", "", "") for h in self.hosts if h not in self.buried}
        few = [self.database.rows[s].host if s in self.database.rows else "" for s in range(FEW)]
        owners = {KIND: [few[s % FEW] for s in range(SHARDS)]}
        assert not self.table.mapped(MapView(self.database.version, hosts, owners), self.now)

    @rule()
    def connection_breaks(self) -> None:
        for host in list(self.table.lanes):
            self.table.lost(host)

    @rule(seconds=st.floats(0.01, 10))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.expired += [call.waiter for call in self.table.tick(self.now)]

    # --- the network --------------------------------------------------------------------------------------

    @precondition(lambda self: self.network)
    @rule(data=st.data())
    def message_arrives(self, data: st.DataObject) -> None:
        self._handle(self.network.pop(data.draw(st.integers(0, len(self.network) - 1))))

    @precondition(lambda self: self.network)
    @rule(data=st.data())
    def message_arrives_and_stays(self, data: st.DataObject) -> None:
        self._handle(data.draw(st.sampled_from(self.network)))

    @precondition(lambda self: self.network)
    @rule(data=st.data())
    def message_is_lost(self, data: st.DataObject) -> None:
        self.network.pop(data.draw(st.integers(0, len(self.network) - 1)))
        self.connection_breaks()

    def _handle(self, message: tuple[Any, ...]) -> None:
        match message:
            case ("calls", str(name), list(items)) if name in self.hosts:
                self._deliver(self.hosts[name], items)
            case ("answer", str(name), int(call), int(status), value):
                settled = self.table.answer(name, call, status, value, self.now)
                if settled is not None:
                    assert status == DONE
                    self.acknowledged.append(settled.waiter)
            case ("part", str(sender), str(name), int(shard), int(epoch), list(lines), list(answers)) if (
                name in self.hosts
            ):
                host = self.hosts[name]
                if host.shards[shard].receiving(epoch, last=True):
                    host.memory.drop({(KIND, shard)})
                    host.memory.restore((KIND, shard), answers, self.now)
                    host.generation[shard] += 1
                    host.lines[shard] = list(lines)
                    self.network.append(("taken", sender, shard, epoch))
            case ("taken", str(name), int(shard), int(epoch)) if name in self.hosts:
                if self.hosts[name].shards[shard].sent(epoch):
                    self._send_on(self.hosts[name], shard)
            case ("claim", list(released), list(refused)):
                self._write(self.coordination.released(released))
                self._write(self.coordination.refused(refused))

    # --- hosts --------------------------------------------------------------------------------------------

    def _deliver(self, host: Host, items: list[Any]) -> None:
        known, floor = host.memory.of(CALLER, items[1], self.now)
        for meta, body in zip(items[2::2], items[3::2], strict=True):
            call, _, entity, left = meta
            shard = shard_of(entity) % FEW
            if call < floor or left <= 0:
                continue
            if call in known:
                if known[call].answer:
                    self._answer(host, call, DONE, None)
                continue
            match host.shards[shard].status:
                case Status.ABSENT | Status.RELEASED:
                    self._turn_away(host, shard, call)
                case Status.ACTIVE:
                    known[call] = Entry((KIND, shard), b"", Silent(self, host, call))
                    self._receive(host, shard, call, body)
                case _:
                    known[call] = entry = Entry((KIND, shard), b"", Silent(self, host, call))
                    host.held[shard].append((call, body, entry))

    def _receive(self, host: Host, shard: int, call: int, operation: str) -> None:
        epoch = host.shards[shard].epoch
        host.turns.append(Turn(shard, CALLER, call, operation, epoch, host.generation[shard]))

    def _turn_away(self, host: Host, shard: int, call: int) -> None:
        host.memory.forget(CALLER, call)
        owner = host.shards[shard].to or (host.rows[shard].host if shard in host.rows else "")
        status = MOVED if owner and owner != host.name else NOT_MINE
        self._answer(host, call, status, owner if status == MOVED else None)

    def _answer(self, host: Host, call: int, status: int, value: Any) -> None:
        self.network.append(("answer", host.name, call, status, value))

    def _send_on(self, host: Host, shard: int) -> None:
        held, host.held[shard] = host.held[shard], []
        for call, _, _ in held:
            self._turn_away(host, shard, call)

    def _let_in(self, host: Host, shard: int) -> None:
        held, host.held[shard] = host.held[shard], []
        for call, operation, entry in held:
            if host.memory.claim(CALLER, call, entry):
                self._receive(host, shard, call, operation)

    def _forget(self, host: Host, shard: int) -> None:
        host.generation[shard] += 1
        host.memory.drop({(KIND, shard)})

    @precondition(lambda self: self.hosts)
    @rule(data=st.data(), loads=st.booleans())
    def host_reads_the_map(self, data: st.DataObject, loads: bool) -> None:
        host = self.hosts[data.draw(st.sampled_from(sorted(self.hosts)))]
        self._sync(host)
        if loads:
            self._load(host)

    def _sync(self, host: Host) -> None:
        for shard, row in self.database.rows.items():
            if self.database.row_versions[shard] > host.version:
                host.rows[shard] = row
                self._follow(host, shard, row)
        host.version = self.database.version

    def _follow(self, host: Host, shard: int, row: ShardRow) -> None:
        if host.name in self.buried:
            return
        match host.shards[shard].mapped(row, host.name):
            case Action.LOAD:
                self._forget(host, shard)
            case Action.ACTIVATE:
                self._let_in(host, shard)
            case Action.DROP:
                self._forget(host, shard)
                self._send_on(host, shard)

    @precondition(lambda self: self.hosts)
    @rule(data=st.data())
    def host_loads(self, data: st.DataObject) -> None:
        self._load(self.hosts[data.draw(st.sampled_from(sorted(self.hosts)))])

    def _load(self, host: Host) -> None:
        for shard, ownership in host.shards.items():
            if ownership.status is Status.LOADING:
                epoch = ownership.epoch
                host.memory.restore((KIND, shard), self.database.answers[shard], self.now)
                host.lines[shard] = list(self.database.lines[shard])
                if ownership.loaded(epoch) is Action.ACTIVATE:
                    self._let_in(host, shard)
                    self._follow(host, shard, host.rows[shard])

    @precondition(lambda self: any(host.turns for host in self.hosts.values()))
    @rule(data=st.data())
    def host_commits(self, data: st.DataObject) -> None:
        host = self.hosts[data.draw(st.sampled_from(sorted(n for n, h in self.hosts.items() if h.turns)))]
        self._commit(host)

    def _commit(self, host: Host) -> None:
        turn = host.turns.pop(0)
        current = turn.generation == host.generation[turn.shard]
        entry = host.memory.of(CALLER, 0, self.now)[0].get(turn.call)
        answer = Answer(turn.caller, turn.call, b"done")
        epoch = host.shards[turn.shard].epoch
        if current and self.database.commit(host.name, turn.shard, epoch, turn.operation, answer):
            if entry is not None:
                entry.answer = b"done"
            host.lines[turn.shard].append(turn.operation)
            self._answer(host, turn.call, DONE, None)
        else:
            host.memory.forget(CALLER, turn.call)
            self._answer(host, turn.call, NOT_MINE, STALE)

    @precondition(lambda self: self.hosts)
    @rule(data=st.data(), quickly=st.booleans())
    def host_sends_what_drains(self, data: st.DataObject, quickly: bool) -> None:
        host = self.hosts[data.draw(st.sampled_from(sorted(self.hosts)))]
        while quickly and host.turns:
            self._commit(host)
        before = len(self.network)
        self._send_drained(host)
        if quickly:
            for message in self.network[before:]:
                self._handle(message)
            for message in self.network[before:]:
                if message[0] == "taken":
                    self._handle(message)

    def _send_drained(self, host: Host) -> None:
        for shard, ownership in host.shards.items():
            quiet = not any(turn.shard == shard for turn in host.turns)
            if ownership.status is Status.DRAINING and quiet:
                answers = [answer for _, answer in host.memory.answered({(KIND, shard)})]
                lines = list(host.lines[shard])
                self.network.append(("part", host.name, ownership.to, shard, ownership.epoch, lines, answers))

    @precondition(lambda self: self.hosts)
    @rule(data=st.data(), impatient=st.booleans())
    def host_reports(self, data: st.DataObject, impatient: bool) -> None:
        self._report(self.hosts[data.draw(st.sampled_from(sorted(self.hosts)))], impatient=impatient)

    def _report(self, host: Host, *, impatient: bool) -> None:
        released, refused = [], []
        for row in self.coordination.moving():
            ownership = host.shards[row.shard]
            if row.host == host.name and ownership.epoch == row.epoch:
                if ownership.status is Status.RELEASED:
                    released.append(row)
                elif ownership.status is Status.DRAINING and impatient:
                    refused.append(row)
        if released or refused:
            self.network.append(("claim", released, refused))

    @precondition(lambda self: len(self.hosts) < 4)
    @rule()
    def start_host(self) -> None:
        self.started += 1
        name = f"host-{self.started}"
        self.hosts[name] = Host(name)

    @precondition(lambda self: self.hosts)
    @rule(data=st.data())
    def host_dies(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.hosts)))
        del self.hosts[name]
        self.buried.add(name)

    @precondition(lambda self: self.hosts)
    @rule(data=st.data())
    def host_becomes_a_zombie(self, data: st.DataObject) -> None:
        """Declared dead, and alive: it keeps receiving and committing until it hears of it."""
        self.buried.add(data.draw(st.sampled_from(sorted(self.hosts))))

    @rule()
    def zombies_hear_of_it(self) -> None:
        for name in self.buried & self.hosts.keys():
            del self.hosts[name]

    # --- the coordinator ----------------------------------------------------------------------------------

    def _living(self) -> dict[str, bool]:
        return {name: False for name in self.hosts if name not in self.buried}

    def _write(self, rows: list[ShardRow]) -> None:
        self.database.write(rows)
        self.coordination.apply(rows)

    @rule()
    def repair(self) -> None:
        self._write(self.coordination.repair(self._living()))

    @rule()
    def balance(self) -> None:
        self._write(self.coordination.balance(self._living()))

    @rule(data=st.data())
    def drain_one(self, data: st.DataObject) -> None:
        living = self._living()
        if len(living) > 1:
            living[data.draw(st.sampled_from(sorted(living)))] = True
            self._write(self.coordination.balance(living))

    @rule()
    def coordinator_is_replaced(self) -> None:
        self.coordination = Coordination([KIND], self.database.rows.values(), shards=FEW)

    @rule(data=st.data(), rounds=st.integers(1, 5))
    def all_but_some_go_on(self, data: st.DataObject, rounds: int) -> None:
        """Time in which all goes well, but for hosts that hear nothing: deep histories, cheaply."""
        asleep = data.draw(st.sets(st.sampled_from(sorted(self.hosts)), max_size=1)) if self.hosts else set()
        for _ in range(rounds):
            self._pump(asleep)

    def _pump(self, asleep: set[str]) -> None:
        self.repair()
        self.map_reaches_router()
        self.time_passes(0.05)
        self.flush()
        for name, host in self.hosts.items():
            if name not in asleep:
                self._sync(host)
                self._load(host)
                while host.turns:
                    self._commit(host)
                self._send_drained(host)
                self._report(host, impatient=False)
        network, self.network = self.network, []
        for message in network:
            self._handle(message)

    # --- what holds ---------------------------------------------------------------------------------------

    @invariant()
    def every_operation_is_stored_at_most_once(self) -> None:
        assert len(self.database.log) == len(set(self.database.log))

    @invariant()
    def every_acknowledged_operation_is_stored_and_acknowledged_once(self) -> None:
        assert len(self.acknowledged) == len(set(self.acknowledged))
        assert set(self.acknowledged) <= set(self.database.log)

    @invariant()
    def no_call_that_is_still_open_runs_again(self) -> None:
        """Leftovers of settled calls may, and the database refuses them; an open one would get the wrong answer."""
        assert not set(self.database.refused) & self.table._pending.keys()

    @invariant()
    def epochs_of_writes_only_grow(self) -> None:
        for epochs in self.database.epochs.values():
            assert epochs == sorted(epochs)

    @invariant()
    def at_most_one_host_serves_a_shard_by_the_present_map(self) -> None:
        for shard, row in self.database.rows.items():
            serving = [
                host.name
                for host in self.hosts.values()
                if host.shards[shard].status is Status.ACTIVE and host.shards[shard].epoch == row.epoch
            ]
            assert len(serving) <= 1
            assert not serving or serving == [row.host]

    @invariant()
    def what_the_owner_remembers_is_what_is_stored(self) -> None:
        for shard, row in self.database.rows.items():
            host = self.hosts.get(row.host)
            if host is None:
                continue
            ownership = host.shards[shard]
            ours = ownership.epoch == row.epoch and ownership.status in (Status.ACTIVE, Status.DRAINING)
            if ours or (ownership.status is Status.RELEASED and ownership.epoch == row.epoch):
                assert host.lines[shard] == self.database.lines[shard]

    def teardown(self) -> None:
        """The world calms down: every call that has time left is answered."""
        self.zombies_hear_of_it()
        if not self.hosts:
            self.start_host()
        for _ in range(30):
            self._pump(asleep=set())
            if not len(self.table) and not self.coordination.moving():
                break
            self.connection_breaks()
        assert not len(self.table), "a call was never answered"
        assert not self.coordination.moving(), "a move was never finished"
        self.every_operation_is_stored_at_most_once()
        self.every_acknowledged_operation_is_stored_and_acknowledged_once()
        assert len(self.acknowledged) + len(self.expired) == self.operations


def _packed(text: str) -> bytes:
    import msgpack

    packed: bytes = msgpack.packb(text)
    return packed


Runtime.TestCase.settings = settings(max_examples=100, stateful_step_count=80, deadline=None)
TestRuntimeModel = Runtime.TestCase
