"""Durable timers over a real Postgres: set and cancelled with the turn, received once, whatever happens to the host."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from math import inf
from typing import Any

import asyncpg
import msgpack
import pytest

from actors.runtime import CancelTimer, Effect, EffectHandler, EntityKind, Persist, Reply, SetTimer, Value
from actors.runtime.hosting.committer import Committer
from actors.runtime.hosting.durable_timers import HORIZON_SECONDS
from actors.runtime.hosting.handoff import send, take
from actors.runtime.hosting.mailbox import Shard
from actors.runtime.hosting.mailboxes import Mailboxes
from actors.runtime.hosting.ownership import Action
from actors.runtime.hosting.turns import TurnRunner
from actors.runtime.shard_map import shard_of
from actors.runtime.store.rows import Leadership, ShardRow
from actors.runtime.store.shard_store import ShardStore
from actors.runtime.store.turn_writes import TurnWrite, TurnWrites
from actors.runtime.transport.frames import CALLS, DONE, pack_body
from tests.support.kind_context import kind_context

ENTITY = "a"
SHARD = shard_of(ENTITY)


class ShiftedClock:
    """The machine's clock, some time ahead."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead

    def time(self) -> float:
        return time.time() + self.ahead


class Diary:
    """Keeps what it receives, with the number of times that it was stored. Lists are commands."""

    def __init__(self, entries: list[Any]) -> None:
        self.entries = entries

    def receive(self, message: Value, now: float) -> list[Effect]:
        match message:
            case "read":
                return [Reply(list(self.entries))]
            case "silent":
                return []
            case "fail":
                raise ZeroDivisionError("as you asked")
            case ["set", str(name), float(due), note]:
                return [SetTimer(name, due, note)]
            case ["cancel", str(name)]:
                return [CancelTimer(name)]
            case ["set, and fail to store", str(name), float(due), note]:
                return [SetTimer(name, due, note), CancelTimer("\0")]
        self.entries.append(message)
        return [Persist(), Reply(len(self.entries))]

    def snapshot(self) -> Value:
        return self.entries


DIARY = EntityKind(
    "diary",
    create=lambda _id, _context: Diary([]),
    restore=lambda _id, _version, entries, _context: Diary(entries),
    passivate_after=60.0,
    durable=True,
)


class Commits:
    """TurnWrites whose commits a test holds up, or loses the outcome of."""

    def __init__(self, writes: TurnWrites) -> None:
        self._writes = writes
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting = 0
        self.begun = 0
        self.outcomes_to_lose = 0

    async def commit(self, writes: Sequence[TurnWrite], *, briefly: bool = False) -> Mapping[TurnWrite, Exception]:
        self.waiting += 1
        self.begun += 1
        await self.gate.wait()
        refused = await self._writes.commit(writes, briefly=briefly)
        self.waiting -= 1
        if self.outcomes_to_lose:
            self.outcomes_to_lose -= 1
            raise OSError("the connection was lost during the commit")
        return refused


class Origin:
    """Keeps the answers to calls."""

    def __init__(self) -> None:
        self.answers: dict[int, tuple[int, Any]] = {}

    def answer(self, packed: bytes) -> None:
        call, status, value = msgpack.unpackb(packed)
        self.answers[call] = (status, value)


class Host:
    """One host's memory and its loop of timers, over the database's."""

    def __init__(self, name: str, store: ShardStore, writes: TurnWrites, clock: ShiftedClock) -> None:
        self.name = name
        self.commits = Commits(writes)
        self.mailboxes = Mailboxes(name, lambda _kind, _number: "", clock)
        self.mailboxes.add_kind(TurnRunner(DIARY, EffectHandler(kind_context()), store, Committer(self.commits)))
        self.mailboxes.serve_until = inf
        self.timers = self.mailboxes.durable_timers
        self._store = store
        self._origin = Origin()
        self._calls = 0
        self._loop: asyncio.Task[None] | None = None

    async def start_loop(self) -> None:
        """Starts the loop of timers, or starts it again so that it reads the clock."""
        await self.stop_loop()
        self._loop = asyncio.create_task(self.timers.run(self._store, self.mailboxes.served))

    async def stop_loop(self) -> None:
        if self._loop is not None:
            self._loop.cancel()
            with suppress(asyncio.CancelledError):
                await self._loop

    @property
    def shard(self) -> Shard:
        return self.mailboxes.shard("diary", SHARD)

    def follow(self, row: ShardRow) -> Action:
        """Does what the host does when the map has this row."""
        shard = self.shard
        action = shard.ownership.mapped(row, self.name)
        if action in (Action.LOAD, Action.DROP):
            self.mailboxes.clear(shard)
        if action is Action.LOAD:
            action = shard.ownership.loaded(row.epoch)
        if action is Action.ACTIVATE:
            self.mailboxes.let_in(shard)
        return action

    async def ask(self, message: Any) -> tuple[int, Any]:
        self._calls += 1
        call = self._calls
        self.mailboxes.deliver(
            self._origin, self.name.encode(), [CALLS, 1, [call, "diary", ENTITY, 60_000, pack_body(message)]]
        )
        await until(lambda: call in self._origin.answers)
        return self._origin.answers[call]

    async def do(self, message: Any) -> Any:
        status, value = await self.ask(message)
        assert status == DONE, value
        return value

    async def entries(self, *expected: Any) -> None:
        """Waits until the diary has these entries."""
        async with asyncio.timeout(60):
            while (found := await self.do("read")) != list(expected):
                assert found == list(expected)[: len(found)], found
                await asyncio.sleep(0.01)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


class Cluster:
    """The database, its map, and hosts over it that have one clock."""

    def __init__(self, store: ShardStore, writes: TurnWrites, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        self.store = store
        self.writes = writes
        self.connection = connection
        self.clock = ShiftedClock()
        self.hosts: list[Host] = []
        self.leadership: Leadership
        self.epoch = 0

    async def write_map(self, row: ShardRow) -> None:
        async with asyncio.timeout(60):
            while True:
                write = await self.store.write_map(self.leadership, [row])
                self.leadership = Leadership(self.leadership.term, write.position)
                if write.written:
                    return

    async def new_host(self, name: str, *, owns: bool = True) -> Host:
        """A host with empty memory, which the shard is given to."""
        host = Host(name, self.store, self.writes, self.clock)
        self.hosts.append(host)
        await host.start_loop()
        if owns:
            self.epoch += 1
            row = ShardRow("diary", SHARD, name, self.epoch)
            await self.write_map(row)
            host.follow(row)
        return host

    async def advance(self, seconds: float) -> None:
        """The clock goes on, and the loops notice."""
        self.clock.ahead += seconds
        for host in self.hosts:
            if host._loop is not None and not host._loop.cancelled():
                await host.start_loop()

    async def rows(self) -> list[tuple[str, str]]:
        """(name, message) of what is stored."""
        rows = await self.connection.fetch("SELECT name, message FROM entity_timers ORDER BY name")
        return [(row["name"], msgpack.unpackb(row["message"])) for row in rows]

    async def stored(self, *expected: tuple[str, Any]) -> None:
        async with asyncio.timeout(60):
            while await self.rows() != list(expected):
                await asyncio.sleep(0.01)


@pytest.fixture
async def cluster(database_address: str) -> AsyncIterator[Cluster]:
    store = await ShardStore.open(database_address, application="test")
    writes = await TurnWrites.open(database_address)
    connection = await asyncpg.connect(database_address)
    made = Cluster(store, writes, connection)
    leadership = (await store.lead("leader", 600.0)).leadership
    assert leadership is not None
    made.leadership = leadership
    yield made
    for host in made.hosts:
        await host.stop_loop()
        await host.mailboxes.close()
    await connection.close()
    await writes.close()
    await store.close()


async def test_a_timer_is_received_when_it_is_due_and_not_before(cluster: Cluster) -> None:
    host = await cluster.new_host("a")
    await host.do(["set", "later", cluster.clock.time() + 40.0, "later"])
    await host.do(["set", "now", cluster.clock.time(), "now"])
    await host.entries("now")
    await cluster.stored(("later", "later"))
    await cluster.advance(41.0)
    await host.entries("now", "later")
    await cluster.stored()


async def test_setting_a_timer_again_replaces_it_and_cancelling_removes_it(cluster: Cluster) -> None:
    host = await cluster.new_host("a")
    due = cluster.clock.time() + 20.0
    await host.do(["set", "x", due, "first"])
    await host.do(["set", "y", due, "cancelled"])
    await host.do(["set", "x", due + 1.0, "second"])
    await host.do(["cancel", "y"])
    await host.do(["cancel", "nothing"])
    assert await cluster.rows() == [("x", "second")]
    await cluster.advance(30.0)
    await host.entries("second")
    await cluster.stored()


async def test_a_timer_whose_turn_is_not_stored_is_not_set(cluster: Cluster) -> None:
    host = await cluster.new_host("a")
    now = cluster.clock.time()
    await host.do(["set", "x", now + 20.0, "kept"])
    status, _ = await host.ask(["set, and fail to store", "x", now, "lost"])
    assert status != DONE
    assert await cluster.rows() == [("x", "kept")]
    await cluster.advance(30.0)
    await host.entries("kept")


async def test_a_timer_is_cancelled_although_its_message_waits_already(cluster: Cluster) -> None:
    host = await cluster.new_host("a")
    await host.do("entry")
    await host.do(["set", "x", cluster.clock.time() + 5.0, "cancelled"])
    host.commits.gate.clear()
    cancel = asyncio.create_task(host.ask(["cancel", "x"]))
    await until(lambda: host.commits.waiting == 1)
    await cluster.advance(10.0)
    await until(lambda: host.mailboxes.waiting == 1)  # the timer's message, behind the turn that cancels it
    begun = host.commits.begun
    host.commits.gate.set()
    assert (await cancel)[0] == DONE
    assert await host.do("read") == ["entry"]
    assert host.commits.begun == begun, "nothing was received that would have to be stored"
    await cluster.stored()


async def test_a_turn_without_effects_has_received_the_timer_too(cluster: Cluster) -> None:
    host = await cluster.new_host("a")
    await host.do(["set", "x", cluster.clock.time() + 1.0, "silent"])
    await cluster.stored(("x", "silent"))
    await cluster.advance(2.0)
    await cluster.stored()
    await until(lambda: len(host.timers) == 0)


async def test_a_timer_beyond_the_horizon_is_loaded_before_it_is_due(cluster: Cluster) -> None:
    host = await cluster.new_host("a")
    await host.do(["set", "x", cluster.clock.time() + 10 * HORIZON_SECONDS, "far"])
    assert len(host.timers) == 0
    await cluster.advance(9.5 * HORIZON_SECONDS)
    await until(lambda: len(host.timers) == 1)
    assert await host.do("read") == []
    await cluster.advance(HORIZON_SECONDS)
    await host.entries("far")


async def test_a_timer_outlives_the_crash_of_its_host(cluster: Cluster) -> None:
    first = await cluster.new_host("a")
    now = cluster.clock.time()
    await first.do("entry")
    for name, due in (("overdue", now + 5.0), ("soon", now + 50.0), ("far", now + 500.0)):
        await first.do(["set", name, due, name])
    await first.stop_loop()
    await cluster.advance(10.0)
    second = await cluster.new_host("b")
    await second.entries("entry", "overdue")
    await cluster.advance(50.0)
    await second.entries("entry", "overdue", "soon")
    await cluster.advance(500.0)
    await second.entries("entry", "overdue", "soon", "far")
    await cluster.stored()


async def test_a_timer_moves_with_its_shard(cluster: Cluster) -> None:
    first = await cluster.new_host("a")
    second = await cluster.new_host("b", owns=False)
    await first.do("entry")
    await first.do(["set", "x", cluster.clock.time() + 20.0, "moved"])
    await until(lambda: len(first.timers) == 1)
    leaving = ShardRow("diary", SHARD, "a", 1, "b")
    await cluster.write_map(leaving)
    assert first.follow(leaving) is Action.DRAIN
    first.shard.serving = False
    assert first.shard.ownership.leaving(1)

    class Direct:
        async def call_host(self, _host: str, _what: str, body: Any, _timeout: float) -> bool:
            return take(second.mailboxes, body)

    router: Any = Direct()
    assert await send(first.mailboxes, router, first.shard, 1, "b", ())
    arrived = ShardRow("diary", SHARD, "b", 2)
    await cluster.write_map(arrived)
    second.follow(arrived)
    await until(lambda: len(second.timers) == 1)
    await cluster.advance(30.0)
    await second.entries("entry", "moved")
    await cluster.stored()
    first.follow(arrived)
    assert len(first.timers) == 0


async def test_a_timer_loads_an_entity_that_was_passivated(cluster: Cluster) -> None:
    host = await cluster.new_host("a")
    await host.do("entry")
    await host.do(["set", "x", cluster.clock.time() + 40.0, "woken"])
    assert host.mailboxes.passivate(cluster.clock.monotonic() + 1000.0) == 1
    assert host.mailboxes.population() == {"diary": 0}
    await cluster.advance(41.0)
    await cluster.stored()
    assert host.mailboxes.population() == {"diary": 1}
    await host.entries("entry", "woken")


async def test_a_timer_fires_once_although_its_host_dies_between_receiving_and_commit(cluster: Cluster) -> None:
    first = await cluster.new_host("a")
    await first.do(["set", "x", cluster.clock.time() + 1.0, "once"])
    first.commits.gate.clear()
    await cluster.advance(2.0)
    await until(lambda: first.commits.waiting == 1)
    second = await cluster.new_host("b")
    await second.entries("once")
    await cluster.stored()
    first.commits.gate.set()  # it was not dead, only late
    await until(lambda: first.commits.waiting == 0)
    third = await cluster.new_host("c")
    assert await third.do("read") == ["once"]


async def test_a_timer_fires_once_although_the_outcome_of_its_commit_is_lost(cluster: Cluster) -> None:
    host = await cluster.new_host("a")
    await host.do(["set", "x", cluster.clock.time() + 1.0, "once"])
    host.commits.outcomes_to_lose = 1
    await cluster.advance(2.0)
    await until(lambda: host.commits.outcomes_to_lose == 0)
    await cluster.stored()
    await cluster.advance(5.0)  # it is tried again, and refused
    await until(lambda: len(host.timers) == 0)
    assert await host.do("read") == ["once"]


async def test_a_timer_that_was_set_is_received_although_the_outcome_of_its_commit_is_lost(cluster: Cluster) -> None:
    host = await cluster.new_host("a")
    host.commits.outcomes_to_lose = 1
    status, _ = await host.ask(["set", "x", cluster.clock.time(), "set"])
    assert status != DONE
    await host.entries("set")


async def test_a_timer_whose_message_fails_is_tried_again_later_and_holds_up_no_other(cluster: Cluster) -> None:
    host = await cluster.new_host("a")
    now = cluster.clock.time()
    await host.do(["set", "bad", now, "fail"])
    await host.do(["set", "good", now, "good"])
    await host.entries("good")
    await cluster.stored(("bad", "fail"))
    await host.do(["set", "bad", now, "repaired"])
    await host.entries("good", "repaired")
    await cluster.stored()
