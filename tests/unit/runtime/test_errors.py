"""Machines with defects, snapshots nobody can read, leases that end in between: whom it may harm, and whom not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgpack

from actors.runtime import After, EffectHandler, EntityKind, KindContext, Persist, Refused, Reply, SetTimer, Value
from actors.runtime.errors import EntityFailed
from actors.runtime.hosting.committer import Committer
from actors.runtime.hosting.handoff import take
from actors.runtime.hosting.turns import TurnRunner
from actors.runtime.shard_map import shard_of
from actors.runtime.store.rows import Snapshot, StaleEpoch
from actors.runtime.store.turn_writes import TurnWrite
from actors.runtime.transport.frames import DONE, NOT_MINE
from tests.support.kind_context import kind_context
from tests.unit.runtime.test_mailboxes import Host

A = shard_of("a")


class Store:
    """Keeps snapshots; ``gate`` holds writes up."""

    def __init__(self) -> None:
        self.saved: dict[str, Snapshot] = {}
        self.gate = asyncio.Event()
        self.gate.set()

    async def commit(self, writes: Sequence[TurnWrite], *, briefly: bool = False) -> Mapping[TurnWrite, Exception]:
        await self.gate.wait()
        self.saved |= {write.entity_id: write.snapshot for write in writes if write.snapshot is not None}
        return {}

    async def snapshots(self, kind: str, entities: Sequence[str]) -> Mapping[str, Snapshot | None]:
        return {entity_id: self.saved.get(entity_id) for entity_id in entities}


class Account:
    """A sum. A negative amount is taken and then found to be one too many: a defect."""

    def __init__(self, total: int = 0) -> None:
        self.total = total

    def receive(self, message: Value, now: float) -> Any:
        match message:
            case "read":
                return [Reply(self.total)]
            case "nothing":
                return None
            case "nonsense":
                return [After("soon", "read"), Reply()]  # type: ignore[arg-type]
            case ["remind", str(name)]:
                return [SetTimer(name, now, 1), Reply()]
            case "refuse":
                raise Refused("no", str(self.total))
            case "open":
                if self.total > 100:
                    raise ZeroDivisionError("opened too often")
                self.total += 1
                return []
        self.total += abs(message)
        if message < 0:
            raise ZeroDivisionError("a defect after the change")
        return [Persist(), Reply(self.total)]

    def snapshot(self) -> Value:
        return self.total


def accounts(
    *entities: str, store: Store | None = None, on_load: Value = None, timers: frozenset[str] | None = None
) -> Host:
    """A host whose entities are accounts."""
    kind = EntityKind(
        "notebook",
        create=lambda _id, _context: Account(),
        restore=lambda _id, _version, total, _context: Account(total),
        durable=store is not None,
        on_load=on_load,
    )
    return host_of(kind, *entities, store=store, timers=timers)


def host_of(kind: EntityKind, *entities: str, store: Any = None, timers: frozenset[str] | None = None) -> Host:
    host = Host()
    host.mailboxes.runners.clear()
    host.mailboxes.shards.clear()
    host.mailboxes.add_kind(
        TurnRunner(kind, EffectHandler(kind_context()), store, None if store is None else Committer(store), timers)
    )
    for entity in entities:
        host.own(shard_of(entity))
    return host


async def answers(host: Host, calls: list[int]) -> list[tuple[int, Any]]:
    return [await host.answer(call) for call in calls]


async def test_half_a_change_is_never_stored_and_those_beside_it_run_once() -> None:
    store = Store()
    host = accounts("a", store=store)
    await host.ask("a", 1)
    store.gate.clear()
    calls = host.send("a", 1)
    calls += host.send("a", 10, "refuse", -1000, 100)
    store.gate.set()
    done = await answers(host, calls)
    assert done[3][0] == EntityFailed.status
    assert done[:3] == [(DONE, 2), (DONE, 12), (11, ["no", "12"])]
    assert done[4] == (DONE, 112)
    assert store.saved["a"] == Snapshot(1, msgpack.packb(112))
    assert await host.ask("a", "read") == (DONE, 112)
    assert host.mailboxes.waiting == 0


async def test_many_defects_in_one_turn_cost_each_message_two_runs_at_most() -> None:
    host = accounts("a", store=Store())
    runs = 0

    class Counted(Account):
        def receive(self, message: Value, now: float) -> Any:
            nonlocal runs
            runs += 1
            return super().receive(message, now)

    host.mailboxes.runners["notebook"].kind = EntityKind(
        "notebook",
        create=lambda _id, _context: Counted(),
        restore=lambda _id, _version, total, _context: Counted(total),
        durable=True,
    )
    calls = host.send("a", *[1, -1] * 20, left=60_000)
    done = await answers(host, calls)
    assert done[::2] == [(DONE, n) for n in range(1, 21)]
    assert runs <= 2 * len(calls)


async def test_a_durable_timer_that_no_feature_declares_is_not_set() -> None:
    host = accounts("a", store=Store(), timers=frozenset({"interest"}))
    assert (await host.ask("a", ["remind", "another"]))[0] == EntityFailed.status
    assert len(host.mailboxes.durable_timers) == 0
    assert (await host.ask("a", ["remind", "interest"]))[0] == DONE
    assert len(host.mailboxes.durable_timers) == 1


async def test_a_machine_that_returns_nonsense_fails_its_own_call_only() -> None:
    for nonsense in ("nothing", "nonsense"):
        host = accounts("a", store=Store())
        calls = host.send("a", 1, nonsense, "read")
        done = await answers(host, calls)
        assert [status for status, _ in done] == [DONE, EntityFailed.status, DONE]
        assert done[2] == (DONE, 1)


async def test_an_entity_that_fails_as_it_is_loaded_receives_nothing() -> None:
    store = Store()
    store.saved["a"] = Snapshot(1, msgpack.packb(101))
    host = accounts("a", store=store, on_load="open")
    calls = host.send("a", 1, "read")
    assert [status for status, _ in await answers(host, calls)] == [EntityFailed.status] * 2
    assert host.mailboxes.waiting == 0
    store.saved["a"] = Snapshot(1, msgpack.packb(7))
    assert await host.ask("a", "read") == (DONE, 8), "loaded anew, and greeted once"


async def test_a_snapshot_that_cannot_be_read_here_is_kept_for_a_host_that_can() -> None:
    later = [True]

    def restore(_id: str, version: int, total: Value, _context: KindContext) -> Account:
        if version > 1 and later:
            raise ValueError("a snapshot of a later version")
        return Account(total)

    host = host_of(EntityKind("notebook", create=lambda _id, _context: Account(), restore=restore))
    assert take(host.mailboxes, ["notebook", A, 1, 0, True, [["a", 2, msgpack.packb(77), []]], []])
    host.own(A, epoch=2)
    for _ in range(2):
        assert (await host.ask("a", "read"))[0] == EntityFailed.status
    later.clear()
    assert await host.ask("a", "read") == (DONE, 77)


async def test_calls_that_waited_while_the_lease_ended_go_to_the_next_owner() -> None:
    host = Host("a")
    await host.ask("a", "x")
    host.handler.gate.clear()
    host.send("a", ["save", 1])
    queued = host.send("a", "queued")[0]
    host.mailboxes.serve_until = time.monotonic() - 1
    host.handler.gate.set()
    assert await host.answer(queued) == (NOT_MINE, None)
    host.mailboxes.serve_until = time.monotonic() + 100
    host.mailbox.answers.pop(queued)
    host.mailbox.order.remove(queued)
    host.send("a", "queued", calls=[queued])
    assert await host.answer(queued) == (DONE, 3), "it had not run"


async def test_timers_wait_for_the_lease_and_fire_once() -> None:
    host = Host("a")
    await host.ask("a", "x")
    host.handler.gate.clear()
    host.send("a", ["save", 1])
    host.send("a", ["soon", "in a turn"])
    await asyncio.sleep(0)
    host.handler.gate.set()
    await host.ask("a", ["soon", "ding"])
    host.mailboxes.serve_until = 0.0
    await asyncio.sleep(0.05)
    mailbox = host.mailboxes.shard("notebook", A).mailboxes["a"]
    assert mailbox.entity is not None
    assert mailbox.entity.snapshot() == ["x", 1]
    host.mailboxes.serve_until = time.monotonic() + 100
    async with asyncio.timeout(60):
        while len((await host.ask("a", "read"))[1]) < 4:
            await asyncio.sleep(0)
    await asyncio.sleep(0.05)
    assert sorted((await host.ask("a", "read"))[1][2:]) == ["ding", "in a turn"]


async def test_an_entity_loaded_as_the_lease_ended_is_greeted_when_it_is_served() -> None:
    store = Store()
    host = accounts("a", store=store, on_load="open")
    turned_away = host.send("a", 1)[0]
    host.mailboxes.serve_until = 0.0
    assert await host.answer(turned_away) == (NOT_MINE, None)
    host.mailboxes.serve_until = time.monotonic() + 100
    assert await host.ask("a", "read") == (DONE, 1)


async def test_a_turn_that_ends_late_does_not_make_a_newer_run_of_its_call_unknown() -> None:
    """The shard went and came back during the turn, and the call with it: it runs now, and comes a third time."""
    host = Host("a")
    await host.ask("a", "x")
    host.handler.gate.clear()
    host.handler.error = StaleEpoch("the shard was lost")
    (call,) = host.send("a", ["save", 1])
    await asyncio.sleep(0)
    host.mailboxes.answers.drop({("notebook", A)})
    host.mailboxes.clear(host.mailboxes.shard("notebook", A))
    first, gate = host.mailbox, host.handler.gate
    host.own(A, epoch=3)
    host.mailbox = type(first)()
    host.handler.gate = asyncio.Event()
    host.send("a", ["save", 1], calls=[call])
    await asyncio.sleep(0)
    gate.set()
    await asyncio.sleep(0.01)
    assert first.answers[call][0] == NOT_MINE
    host.send("a", ["save", 1], calls=[call])
    host.handler.error = None
    host.handler.gate.set()
    assert await host.answer(call) == (DONE, 1)
    assert host.handler.turns == [[1]]
