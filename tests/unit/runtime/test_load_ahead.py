"""Entities whose timers are due soon are in memory by then, and receive nothing before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import msgpack

from actors.runtime import EffectHandler, EntityKind, Persist, Value
from actors.runtime.hosting.committer import Committer
from actors.runtime.hosting.durable_timers import MAX_LOADING
from actors.runtime.hosting.mailboxes import Mailboxes
from actors.runtime.hosting.turns import TurnRunner
from actors.runtime.shard_map import SHARDS, shard_of
from actors.runtime.store.rows import ShardRow, Snapshot, TimerRow
from actors.runtime.store.turn_writes import TurnWrite
from actors.runtime.transport.frames import CALLS, DONE, pack_body
from tests.support.kind_context import kind_context
from tests.unit.runtime.test_bounds import ManualClock
from tests.unit.runtime.test_mailboxes import CALLER, Mailbox

DUE = 1040.0


class Store:
    """Snapshots that are read, and turns that are committed, while it is ``open``."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.loaded: list[str] = []
        self.committed: list[TurnWrite] = []
        self.error: Exception | None = None

    async def snapshots(self, _kind: str, entities: Sequence[str]) -> Mapping[str, Snapshot | None]:
        await self.open.wait()
        if self.error is not None:
            raise self.error
        self.loaded += entities
        return {entity: Snapshot(1, msgpack.packb([])) for entity in entities}

    async def commit(self, writes: Sequence[TurnWrite], *, briefly: bool = False) -> Mapping[TurnWrite, Exception]:
        await self.open.wait()
        self.committed += writes
        return {}


class Alarm:
    """Remembers what it received."""

    def __init__(self, heard: list[Any]) -> None:
        self.heard = heard

    def receive(self, message: Value, now: float) -> list[Any]:
        self.heard.append(message)
        return [] if message == "hello" else [Persist()]

    def snapshot(self) -> Value:
        return self.heard


class Host:
    """All shards of alarms at one host."""

    def __init__(self, on_load: Value = None) -> None:
        self.clock = ManualClock()
        self.store = Store()
        self.heard: dict[str, list[Any]] = {}
        self.committer = Committer(self.store)
        kind = EntityKind(
            "alarm",
            create=cast(Any, None),
            restore=lambda entity, _version, _snapshot, _context: Alarm(self.heard.setdefault(entity, [])),
            durable=True,
            on_load=on_load,
        )
        self.mailboxes = Mailboxes("host", lambda _kind, _shard: "host", self.clock)
        runner = TurnRunner(kind, EffectHandler(kind_context()), cast(Any, self.store), self.committer)
        self.mailboxes.add_kind(runner)
        self.mailboxes.serve_until = float("inf")
        for number in range(SHARDS):
            shard = self.mailboxes.shard("alarm", number)
            shard.ownership.mapped(ShardRow("alarm", number, "host", 1), "host")
            shard.ownership.loaded(1)
            self.mailboxes.let_in(shard)
        self.timers = self.mailboxes.durable_timers

    def set(self, entity: str, due: float = DUE) -> None:
        """A timer of the entity's is stored, and held here."""
        key = ("alarm", shard_of(entity), entity)
        self.timers.committed([], {"ring": TimerRow(*key, "ring", due, msgpack.packb("ring"))}, key)

    def at(self, now: float) -> None:
        """What the loop of timers does at that time."""
        self.clock.now = now
        self.timers.deliver()
        self.timers.load_entities_ahead()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                await asyncio.sleep(0)


async def test_an_entity_is_loaded_before_its_timer_is_due_and_receives_its_message_once_and_not_before() -> None:
    host = Host(on_load="hello")
    host.set("a")
    host.at(DUE - 2.0)
    assert host.mailboxes.turns.loading.under_way == 0
    host.at(DUE - 0.5)
    await host.until(lambda: host.heard.get("a"))
    host.at(DUE - 0.001)
    await asyncio.sleep(0)
    assert host.heard == {"a": ["hello"]}
    host.at(DUE)
    await host.until(lambda: host.store.committed)
    host.at(DUE + 100.0)
    await asyncio.sleep(0)
    assert host.heard == {"a": ["hello", "ring"]}
    assert [[row.name for row in write.fired] for write in host.store.committed] == [["ring"]]
    assert host.store.loaded == ["a"]


async def test_an_entity_that_has_nothing_more_to_do_leaves_memory_as_any_other() -> None:
    host = Host()
    host.set("a")
    host.at(DUE - 0.5)
    await host.until(lambda: host.mailboxes.population() == {"alarm": 1} and "a" in host.heard)
    await host.until(lambda: host.mailboxes.passivate(DUE + 1000.0) == 1)
    host.at(DUE)
    await host.until(lambda: host.heard["a"])
    assert host.store.loaded == ["a", "a"]


async def test_a_load_ahead_that_fails_is_tried_again_when_the_timer_is_due() -> None:
    host = Host()
    host.store.error = OSError("gone")
    host.set("a")
    host.at(DUE - 0.5)
    await host.until(lambda: host.mailboxes.population() == {"alarm": 0})
    host.store.error = None
    host.at(DUE)
    await host.until(lambda: host.heard.get("a"))
    assert host.heard == {"a": ["ring"]}


async def test_a_caller_waits_only_for_so_many_loads_ahead_and_all_timers_fire() -> None:
    host = Host()
    names = [str(number) for number in range(2 * MAX_LOADING)]
    for name in names:
        host.set(name)
    host.store.open.clear()
    host.at(DUE - 0.5)
    assert host.mailboxes.turns.loading.under_way == MAX_LOADING
    origin = Mailbox()
    host.mailboxes.deliver(origin, CALLER, [CALLS, 1, [1, "alarm", "caller", 5000, pack_body("hello")]])
    host.at(DUE - 0.4)
    host.store.open.set()
    await host.until(lambda: origin.answers)
    assert origin.answers[1] == (DONE, None)
    assert len(host.store.loaded) <= MAX_LOADING + 1, "none was begun after the caller's"
    while len(host.store.committed) < len(names):
        host.at(DUE)
        await asyncio.sleep(0)
    assert sorted(write.entity_id for write in host.store.committed) == sorted(names)
    assert sorted(host.store.loaded) == sorted([*names, "caller"])


async def test_a_turn_whose_commit_the_end_of_the_host_cancels_answers_nothing() -> None:
    """The next owner runs the call, or finds its answer."""
    host = Host()
    origin = Mailbox()
    host.mailboxes.deliver(origin, CALLER, [CALLS, 1, [1, "alarm", "a", 5000, pack_body("save")]])
    await host.until(lambda: host.heard.get("a"))
    await host.mailboxes.close()
    await host.committer.close()
    for _ in range(10):
        await asyncio.sleep(0)
    assert origin.answers == {}
