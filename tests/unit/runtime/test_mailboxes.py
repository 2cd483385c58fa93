"""Entities in a host's memory: turns, effects, failures, timers, passivation, and going to another host."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import msgpack
import pytest

from actors.runtime import After, EffectHandler, EntityKind, Refused, Reply, Turn, Value
from actors.runtime.errors import BadFrame, DeadlineExceeded, EntityFailed, FrameTooLarge, Overloaded, UnknownKind
from actors.runtime.hosting.handoff import send, take
from actors.runtime.hosting.mailbox import Shard
from actors.runtime.hosting.mailboxes import Mailboxes
from actors.runtime.hosting.ownership import Action, Status
from actors.runtime.hosting.turns import TurnRunner
from actors.runtime.shard_map import shard_of
from actors.runtime.store.rows import AlreadyAnswered, Answer, Fence, ShardRow, StaleEpoch
from actors.runtime.transport.frames import CALLS, DONE, MOVED, NOT_MINE, STALE, pack_body
from tests.support.kind_context import kind_context

CALLER = b"caller-1"


class Notebook:
    """Remembers every note. "save" has an effect; other words are commands."""

    def __init__(self, notes: list[Any]) -> None:
        self.notes = notes

    def receive(self, message: Value, now: float) -> list[Any]:
        match message:
            case "read":
                return [Reply(self.notes)]
            case "refuse":
                raise Refused("no", "not today")
            case "fail":
                self.notes.append("half done")
                raise ZeroDivisionError("a defect")
            case "large":
                return [Reply(b"x" * (5 << 20))]
            case ["soon", note]:
                return [After(0.01, note)]
            case ["later", note]:
                return [After(0.2, note)]
            case ["save", note]:
                self.notes.append(note)
                return [("saved", note), Reply(len(self.notes))]
        self.notes.append(message)
        return [Reply(len(self.notes))]

    def snapshot(self) -> Value:
        return self.notes


class Saves(EffectHandler):
    """Collects effects; ``gate`` holds turns up, ``error`` makes them fail."""

    def __init__(self) -> None:
        super().__init__(kind_context())
        self.turns: list[list[Any]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None

    async def act(self, turn: Turn) -> Sequence[Value]:
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.turns.append([effect[1] for effect in turn.effects])
        return ()


KIND = EntityKind(
    "notebook",
    create=lambda _id, _context: Notebook([]),
    restore=lambda _id, _version, notes, _context: Notebook(notes),
    read=lambda notebook, message: [*notebook.notes, message],
    passivate_after=60.0,
)


class Mailbox:
    """An origin that keeps what it is told, by call."""

    def __init__(self) -> None:
        self.answers: dict[int, tuple[int, Any]] = {}
        self.order: list[int] = []

    def answer(self, packed: bytes) -> None:
        call, status, value = msgpack.unpackb(packed)
        assert call not in self.order, "answered twice"
        self.order.append(call)
        self.answers[call] = (status, value)


class Host:
    """Mailboxes that own the shards of the given entities."""

    def __init__(self, *entities: str, name: str = "host-a", owner: str = "") -> None:
        self.handler = Saves()
        self.mailboxes = Mailboxes(name, lambda _kind, _number: owner)
        self.mailboxes.add_kind(TurnRunner(KIND, self.handler, None))
        self.mailboxes.serve_until = time.monotonic() + 1000
        self.mailbox = Mailbox()
        self.calls = 0
        for entity in entities:
            self.own(shard_of(entity))

    def own(self, number: int, epoch: int = 1) -> Shard:
        shard = self.mailboxes.shard("notebook", number)
        action = shard.ownership.mapped(ShardRow("notebook", number, self.mailboxes.host, epoch), self.mailboxes.host)
        if action is Action.LOAD:
            self.mailboxes.clear(shard)
            action = shard.ownership.loaded(epoch)
        if action is Action.ACTIVATE:
            self.mailboxes.let_in(shard)
        return shard

    def send(self, entity: str, *messages: Any, left: int = 5000, calls: list[int] | None = None) -> list[int]:
        if calls is None:
            calls = list(range(self.calls + 1, self.calls + 1 + len(messages)))
            self.calls += len(messages)
        items: list[Any] = [CALLS, 1]
        for call, message in zip(calls, messages, strict=True):
            items.append([call, "notebook", entity, left, pack_body(message)])
        self.mailboxes.deliver(self.mailbox, CALLER, items)
        return calls

    async def ask(self, entity: str, message: Any) -> tuple[int, Any]:
        (call,) = self.send(entity, message)
        return await self.answer(call)

    async def answer(self, call: int) -> tuple[int, Any]:
        async with asyncio.timeout(60):
            while call not in self.mailbox.answers:
                await asyncio.sleep(0)
        return self.mailbox.answers[call]


async def test_messages_are_received_in_order_and_each_is_answered() -> None:
    host = Host("a")
    calls = host.send("a", "x", "y", "z")
    assert [await host.answer(call) for call in calls] == [(DONE, 1), (DONE, 2), (DONE, 3)]
    assert await host.ask("a", "read") == (DONE, ["x", "y", "z"])


async def test_messages_that_wait_share_the_next_turn_and_its_effects() -> None:
    host = Host("a")
    await host.ask("a", "first")
    host.handler.gate.clear()
    calls = host.send("a", ["save", 1])
    calls += host.send("a", ["save", 2], ["save", 3])
    await asyncio.sleep(0)
    assert not any(call in host.mailbox.answers for call in calls), "answered before its effects"
    host.handler.gate.set()
    assert [await host.answer(call) for call in calls] == [(DONE, 2), (DONE, 3), (DONE, 4)]
    assert host.handler.turns == [[1], [2, 3]]


async def test_a_reply_is_what_it_was_when_it_was_given() -> None:
    host = Host("a")
    await host.ask("a", "x")
    first, _, _ = host.send("a", "read", "y", "z")
    assert await host.answer(first) == (DONE, ["x"])


async def test_an_entity_may_refuse_and_is_as_before() -> None:
    host = Host("a")
    await host.ask("a", "x")
    assert await host.ask("a", "refuse") == (11, ["no", "not today"])
    assert await host.ask("a", "read") == (DONE, ["x"])


async def test_a_defect_is_the_callers_to_know_and_half_changed_state_goes() -> None:
    host = Host("a", "b")
    await host.ask("a", "x")
    await host.ask("b", "x")
    calls = host.send("a", "fail", "after")
    assert (await host.answer(calls[0]))[0] == EntityFailed.status
    assert await host.answer(calls[1]) == (DONE, 1), "the next message finds a fresh entity"
    assert await host.ask("b", "read") == (DONE, ["x"]), "other entities notice nothing"


async def test_an_effect_that_fails_fails_its_calls_and_memory_goes_with_it() -> None:
    host = Host("a")
    await host.ask("a", "x")
    host.handler.error = OSError("disk")
    assert (await host.ask("a", ["save", 1]))[0] == EntityFailed.status
    host.handler.error = None
    assert await host.ask("a", "read") == (DONE, [])


async def test_a_stale_epoch_sends_the_call_on_and_it_may_run_again() -> None:
    host = Host("a")
    await host.ask("a", "x")
    told: list[bool] = []
    host.mailboxes.turns.on_stale = lambda: told.append(True)
    host.handler.error = StaleEpoch("moved")
    (call,) = host.send("a", ["save", 1])
    assert await host.answer(call) == (NOT_MINE, STALE)
    assert told
    host.handler.error = None
    host.mailbox = Mailbox()
    host.send("a", ["save", 1], calls=[call])
    assert await host.answer(call) == (DONE, 1)


async def test_a_call_that_comes_again_runs_once_and_gets_the_same_answer() -> None:
    host = Host("a")
    (call,) = host.send("a", "x")
    await host.answer(call)
    host.mailbox = Mailbox()
    host.send("a", "x", calls=[call])
    assert await host.answer(call) == (DONE, 1)
    assert await host.ask("a", "read") == (DONE, ["x"])


async def test_a_call_that_comes_again_while_it_runs_is_answered_every_way_it_came() -> None:
    host = Host("a")
    await host.ask("a", "x")
    host.handler.gate.clear()
    (call,) = host.send("a", ["save", 1])
    first, host.mailbox = host.mailbox, Mailbox()
    host.send("a", ["save", 1], calls=[call])
    host.handler.gate.set()
    assert await host.answer(call) == first.answers[call] == (DONE, 2)
    assert host.handler.turns == [[1]]


async def test_bad_calls_each_get_a_typed_answer() -> None:
    host = Host("a", owner="host-b")
    nothing, late = [1, "nothing", "a", 100, pack_body(None)], [2, "notebook", "a", 0, pack_body("late")]
    large = [3, "notebook", "a", 9, pack_body("large")]
    host.mailboxes.deliver(host.mailbox, CALLER, [CALLS, 1, nothing, late, large])
    assert host.mailbox.answers[1][0] == UnknownKind.status
    assert host.mailbox.answers[2][0] == DeadlineExceeded.status
    assert (await host.answer(3))[0] == FrameTooLarge.status
    host.calls = 10
    elsewhere = next(str(n) for n in range(10_000) if shard_of(str(n)) != shard_of("a"))
    assert await host.ask(elsewhere, "x") == (MOVED, "host-b")
    assert await host.ask("a", "read") == (DONE, [])


@pytest.mark.parametrize(
    "items",
    [
        [CALLS, 1, "call"],
        [CALLS, 1, [1, "notebook", "a", 5]],
        [CALLS, 1, ["1", "notebook", "a", 5, b"\x01"]],
        [CALLS, 1, [1, b"notebook", "a", 5, b"\x01"]],
        [CALLS, 1, [1, "notebook", None, 5, b"\x01"]],
        [CALLS, 1, [1, "notebook", "a", 5], b"\x01"],
    ],
)
async def test_what_no_router_sends_is_a_bad_frame(items: list[Any]) -> None:
    host = Host("a")
    with pytest.raises(BadFrame):
        host.mailboxes.deliver(host.mailbox, CALLER, items)
    assert await host.ask("a", "read") == (DONE, [])


async def test_without_its_lease_a_host_serves_nothing() -> None:
    host = Host("a")
    await host.ask("a", "x")
    host.mailboxes.serve_until = time.monotonic() - 1
    assert await host.ask("a", "y") == (NOT_MINE, None)
    host.mailboxes.serve_until = time.monotonic() + 100
    assert await host.ask("a", "read") == (DONE, ["x"])


async def test_more_calls_than_may_wait_are_refused_and_the_others_are_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("actors.runtime.hosting.mailboxes.MAX_WAITING", 3)
    host = Host("a")
    await host.ask("a", "x")
    host.handler.gate.clear()
    calls = host.send("a", *(["save", n] for n in range(8)))
    host.handler.gate.set()
    statuses = [(await host.answer(call))[0] for call in calls]
    assert statuses.count(DONE) == 4
    assert statuses.count(Overloaded.status) == 4
    assert host.mailboxes.waiting == 0


async def test_a_call_that_waited_past_its_deadline_does_not_run() -> None:
    host = Host("a")
    await host.ask("a", "x")
    host.handler.gate.clear()
    host.send("a", ["save", 1])
    (late,) = host.send("a", "y", left=1)
    await asyncio.sleep(0.01)
    host.handler.gate.set()
    assert (await host.answer(late))[0] == DeadlineExceeded.status
    assert await host.ask("a", "read") == (DONE, ["x", 1])


async def test_timers_come_back_as_messages_and_keep_the_entity_in_memory() -> None:
    host = Host("a")
    await host.ask("a", ["soon", "ding"])
    assert host.mailboxes.passivate(time.monotonic() + 1000) == 0
    async with asyncio.timeout(60):
        while (await host.ask("a", "read"))[1] != ["ding"]:
            await asyncio.sleep(0.01)
    assert host.mailboxes.passivate(time.monotonic() + 1000) == 1


async def test_idle_entities_leave_memory_and_used_ones_stay() -> None:
    host = Host("a", "b")
    await host.ask("a", "x")
    await host.ask("b", "x")
    now = time.monotonic()
    host.mailboxes.shard("notebook", shard_of("a")).mailboxes["a"].used_at = now - 100
    assert host.mailboxes.passivate(now) == 1
    assert dict(host.mailboxes.population()) == {"notebook": 1}
    assert await host.ask("a", "read") == (DONE, []), "a volatile entity starts anew"


class Wire:
    """Carries handoff parts straight to the other host's mailboxes."""

    def __init__(self, to: Host) -> None:
        self.to = to
        self.broken = False

    def call_host(self, host: str, what: str, message: Value, timeout: float) -> asyncio.Future[Value]:
        future: asyncio.Future[Value] = asyncio.get_running_loop().create_future()
        body = msgpack.unpackb(msgpack.packb(message))
        future.set_result(False if self.broken else take(self.to.mailboxes, body))
        return future


async def test_a_shard_goes_over_with_state_timers_and_answers_and_no_call_is_dropped() -> None:
    number = shard_of("a")
    old, new = Host("a"), Host(name="host-b", owner="host-a")
    await old.ask("a", "x")
    (done,) = old.send("a", "y")
    await old.ask("a", ["later", "ding"])
    shard = old.mailboxes.shard("notebook", number)
    assert shard.ownership.mapped(ShardRow("notebook", number, "host-a", 1, "host-b"), "host-a") is Action.DRAIN
    shard.serving = False
    (parked,) = old.send("a", "z")
    assert parked not in old.mailbox.answers
    calls = old.mailboxes.answers.calls_of([("notebook", number)])["notebook", number]
    assert await send(old.mailboxes, Wire(new), shard, 1, "host-b", calls)  # type: ignore[arg-type]
    assert await old.answer(parked) == (MOVED, "host-b")

    (parked,) = new.send("a", "z", calls=[parked])
    assert parked not in new.mailbox.answers, "not the owner yet"
    new.own(number, epoch=2)
    assert await new.answer(parked) == (DONE, 3)
    new.send("a", "y", calls=[done])
    assert await new.answer(done) == (DONE, 2), "answered there, known here"
    new.calls = 100
    async with asyncio.timeout(60):
        while (await new.ask("a", "read"))[1] != ["x", "y", "z", "ding"]:
            await asyncio.sleep(0.01)


async def test_a_handoff_that_fails_leaves_the_owner_as_it_was() -> None:
    number = shard_of("a")
    old, new = Host("a"), Host(name="host-b")
    await old.ask("a", "x")
    shard = old.mailboxes.shard("notebook", number)
    shard.ownership.mapped(ShardRow("notebook", number, "host-a", 1, "host-b"), "host-a")
    shard.serving = False
    (parked,) = old.send("a", "y")
    wire = Wire(new)
    wire.broken = True
    assert not await send(old.mailboxes, wire, shard, 1, "host-b", [])  # type: ignore[arg-type]
    assert shard.ownership.status is Status.DRAINING
    old.own(number, epoch=2)
    assert await old.answer(parked) == (DONE, 2)


async def test_a_leftover_of_a_settled_call_harms_no_other_call_of_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host("a")
    await host.ask("a", "x")
    leftover, innocent = host.send("a", ["save", 1], "y")
    host.handler.error = AlreadyAnswered("notebook")
    stored = [Answer(CALLER, leftover, msgpack.packb((leftover, DONE, 41)))]

    async def stored_answers(_runner: TurnRunner, _fence: Fence) -> list[Answer]:
        return stored

    monkeypatch.setattr(TurnRunner, "stored_answers", stored_answers)
    assert await host.answer(leftover) == (DONE, 41)
    host.handler.error = None
    status = await host.answer(innocent)
    assert status in ((NOT_MINE, None), (DONE, 1))


async def test_a_call_held_while_its_answer_is_being_loaded_does_not_run_again() -> None:
    host = Host()
    number = shard_of("a")
    shard = host.mailboxes.shard("notebook", number)
    assert shard.ownership.mapped(ShardRow("notebook", number, "host-a", 2), "host-a") is Action.LOAD
    answered, fresh = host.send("a", "x", "y")
    host.send("a", "y", calls=[fresh])
    stored = Answer(CALLER, answered, msgpack.packb((answered, DONE, 41)))
    host.mailboxes.answers.restore(("notebook", number), [stored], time.monotonic())
    assert shard.ownership.loaded(2) is Action.ACTIVATE
    host.mailboxes.let_in(shard)
    assert await host.answer(answered) == (DONE, 41)
    assert await host.answer(fresh) == (DONE, 1)
    assert await host.ask("a", "read") == (DONE, ["y"])


async def test_turns_of_a_shard_that_was_lost_meanwhile_store_nothing() -> None:
    host = Host("a")
    await host.ask("a", "x")
    host.handler.gate.clear()
    first, second = host.send("a", ["save", 1])[0], host.send("a", ["save", 2])[0]
    await asyncio.sleep(0)
    shard = host.mailboxes.shard("notebook", shard_of("a"))
    shard.ownership.mapped(ShardRow("notebook", shard.number, "host-b", 2), "host-a")
    host.mailboxes.clear(shard)
    host.own(shard.number, epoch=3)
    host.handler.gate.set()
    await host.answer(first)
    assert (await host.answer(second))[0] == NOT_MINE
    assert host.handler.turns == [[1]], "the first had passed the fence's check; the second never starts"


async def test_a_part_that_is_no_part_is_a_bad_frame() -> None:
    host = Host()
    for body in (None, ["notebook", 1], ["other", 1, 1, 0, True, [], []], ["notebook", 5000, 1, 0, True, [], []]):
        with pytest.raises(BadFrame):
            take(host.mailboxes, body)


GOOD = msgpack.packb(["note"])


@pytest.mark.parametrize(
    "content",
    [
        [[["a", 1, b"\xc1", []]], []],
        [[["a", 1, msgpack.packb({(1,): 2}), []]], []],
        [[["a", 1, GOOD, []], ["b", 1]], []],
        [[["a", 1, GOOD, [["soon", "wake up"]]]], []],
        [[["a", 1, GOOD, []]], [[b"caller", 1]]],
        [[None], []],
    ],
    ids=["snapshot", "key of a map", "second entity", "timer", "answer", "no entity"],
)
async def test_a_part_that_cannot_be_read_does_not_count_as_received(content: list[Any]) -> None:
    """Else the rest would make a shard that lacks entities look complete."""
    host = Host()
    with pytest.raises(BadFrame):
        take(host.mailboxes, ["notebook", 5, 1, 0, True, *content])
    shard = host.mailboxes.shard("notebook", 5)
    assert (shard.ownership.status, shard.ownership.parts, shard.mailboxes) == (Status.ABSENT, 0, {})
    assert take(host.mailboxes, ["notebook", 5, 1, 0, True, [["a", 1, GOOD, []]], []]), "it may be sent again"
    assert set(shard.mailboxes) == {"a"}


async def test_calls_that_had_to_wait_are_counted_once_and_timers_are_not() -> None:
    host = Host("a")
    load = host.mailboxes.loads["notebook"]
    await host.ask("a", "its entity was not in memory")
    assert (load.calls, load.queued) == (1, 1)
    host.handler.gate.clear()
    await host.ask("a", ["soon", "ding"])
    (busy,) = host.send("a", ["save", 1])
    (waits,) = host.send("a", "x")
    await asyncio.sleep(0.05)
    host.handler.gate.set()
    await host.answer(busy)
    await host.answer(waits)
    assert (load.calls, load.queued) == (4, 2)
