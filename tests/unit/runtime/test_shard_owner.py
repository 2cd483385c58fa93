"""Shards that come and go together: none waits for another, and each goes whole."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, cast

import msgpack
import pytest

from actors.runtime.errors import FrameTooLarge
from actors.runtime.hosting.deduplication import DeduplicationTable, Entry
from actors.runtime.hosting.handoff import send, take
from actors.runtime.hosting.mailbox import Shard
from actors.runtime.hosting.ownership import Action, Status
from actors.runtime.hosting.shard_owner import ShardOwner
from actors.runtime.shard_map import SHARDS, MapPosition, shard_of
from actors.runtime.store.rows import Answer, MapRead, ShardRow
from actors.runtime.transport.frames import DONE, MOVED, pack_body
from actors.runtime.value import Value
from tests.unit.runtime.test_mailboxes import CALLER, KIND, Host, Mailbox

A, B = shard_of("a"), shard_of("b")


class StoredMap:
    """The map as a host reads it; nothing else is stored."""

    def __init__(self) -> None:
        self.position = MapPosition("g", 0)
        self.rows: list[ShardRow] = []

    def says(self, *rows: ShardRow) -> MapPosition:
        self.position = MapPosition("g", self.position.version + 1)
        self.rows = list(rows)
        return self.position

    async def shard_map(self, known: MapPosition) -> MapRead:
        return MapRead(self.position, self.rows)

    async def answers(self, shards: Iterable[tuple[str, int]]) -> list[tuple[str, int, Answer]]:
        return []


class Road:
    """A router that leads straight to another host's mailboxes, with the bounds of a frame."""

    def __init__(self, to: Host) -> None:
        self.to = to
        self.sent: list[Any] = []

    async def wait_for_host(self, host: str, timeout_s: float) -> None:
        pass

    def call_host(self, host: str, what: str, message: Value, timeout: float) -> asyncio.Future[Value]:
        future: asyncio.Future[Value] = asyncio.get_running_loop().create_future()
        try:
            body = msgpack.unpackb(pack_body(message))
        except FrameTooLarge as error:
            future.set_exception(error)
            return future
        if what == "handoff":
            self.sent.append(body)
        future.set_result(what == "greeting" or take(self.to.mailboxes, body))
        return future


class Move:
    """host-a owns the shards of a and b, and host-b is to get them."""

    def __init__(self) -> None:
        self.old, self.new = Host(), Host(name="host-b", owner="host-a")
        self.map, self.road = StoredMap(), Road(self.new)
        self.shard_owner = ShardOwner(cast(Any, self.map), cast(Any, self.road))
        runner = self.old.mailboxes.runners["notebook"]
        self.old.mailboxes = self.shard_owner.mailboxes
        self.old.mailboxes.host = "host-a"
        self.old.mailboxes.add_kind(runner)
        self.old.mailboxes.serve_until = time.monotonic() + 1000

    async def begin(self) -> None:
        self.map.says(*(ShardRow("notebook", number, "host-a", 1) for number in (A, B)))
        await self.shard_owner.sync()
        for entity in ("a", "b"):
            assert await self.old.ask(entity, "x") == (DONE, 1)

    def ask_to_go(self) -> MapPosition:
        return self.map.says(*(ShardRow("notebook", number, "host-a", 1, "host-b") for number in (A, B)))


CLAIMS = [("notebook", A, 1), ("notebook", B, 1)]


async def test_a_shard_that_is_quiet_goes_before_one_whose_turn_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.runtime.hosting.handoff.DRAIN_SECONDS", 1000.0)
    move = Move()
    await move.begin()
    move.old.handler.gate.clear()
    (slow,) = move.old.send("a", ["save", 1])
    version = move.ask_to_go()
    async with asyncio.timeout(60):
        assert await move.shard_owner.release(version, CLAIMS) == ([CLAIMS[1]], [])
    assert move.shard_owner.moves() == ([CLAIMS[1]], [])
    assert await move.old.ask("b", "y") == (MOVED, "host-b")
    assert slow not in move.old.mailbox.answers
    move.old.handler.gate.set()
    assert await move.old.answer(slow) == (DONE, 2)
    async with asyncio.timeout(60):
        assert await move.shard_owner.release(version, CLAIMS[:1]) == ([CLAIMS[0]], [])


async def test_a_shard_of_a_kind_that_only_another_version_has_is_let_go_with_the_others() -> None:
    move = Move()
    await move.begin()
    version = move.ask_to_go()
    foreign = ("newer", 7, 1)
    let_go: set[tuple[str, int, int]] = set()
    async with asyncio.timeout(60):
        while let_go != {*CLAIMS, foreign}:
            released, refused = await move.shard_owner.release(version, [*CLAIMS, foreign])
            let_go.update(released)
            assert refused == []
            await asyncio.sleep(0.01)


async def test_a_shard_that_cannot_be_packed_stays_and_no_other_waits_for_it() -> None:
    move = Move()
    await move.begin()
    entity: Any = move.old.mailboxes.shard("notebook", A).mailboxes["a"].entity
    entity.notes.append({1})
    version = move.ask_to_go()
    async with asyncio.timeout(60):
        assert await move.shard_owner.release(version, CLAIMS) == ([CLAIMS[1]], [CLAIMS[0]])
    move.map.says(ShardRow("notebook", A, "host-a", 2))
    await move.shard_owner.sync()
    assert await move.old.ask("a", "y") == (DONE, 3), "it goes on with what it has"


async def test_what_goes_on_after_a_move_was_called_off_is_not_sent_as_if_it_had_stood_still() -> None:
    move = Move()
    await move.begin()
    move.old.handler.gate.clear()
    (slow,) = move.old.send("a", ["save", 1])
    move.ask_to_go()
    await move.shard_owner.sync()
    async with asyncio.timeout(60):
        while move.old.mailboxes.shard("notebook", A).serving:
            await asyncio.sleep(0)
    handoff = move.shard_owner._drains["notebook", A]
    assert not handoff.done(), "it waits for the turn"
    move.map.says(ShardRow("notebook", A, "host-a", 2))
    await move.shard_owner.sync()
    move.old.handler.gate.set()
    await move.old.answer(slow)
    assert await handoff is False
    assert await move.old.ask("a", "acknowledged") == (DONE, 3)
    ownership = move.new.mailboxes.shard("notebook", A).ownership
    assert ownership.mapped(ShardRow("notebook", A, "host-b", 3), "host-b") is Action.LOAD


async def test_many_large_answers_and_entities_go_along_in_parts() -> None:
    old, new = Host("a"), Host(name="host-b", owner="host-a")
    await old.ask("a", b"x" * (3 << 20))
    shard = old.mailboxes.shard("notebook", A)
    another = next(str(n) for n in range(100_000) if shard_of(str(n)) == A)
    await old.ask(another, b"y" * (3 << 20))
    answers = [Answer(CALLER, call, msgpack.packb([call, DONE, b"x" * 50_000])) for call in range(1000, 1100)]
    old.mailboxes.answers.restore(("notebook", A), answers, time.monotonic())
    shard.ownership.mapped(ShardRow("notebook", A, "host-a", 1, "host-b"), "host-a")
    shard.serving = False
    calls = old.mailboxes.answers.calls_of([("notebook", A)])["notebook", A]
    assert await send(old.mailboxes, cast(Any, Road(new)), shard, 1, "host-b", calls)
    new.own(A, epoch=2)
    new.send("a", "again", calls=[1042])
    assert await new.answer(1042) == (DONE, b"x" * 50_000)
    new.calls = 5000
    assert await new.ask(another, "z") == (DONE, 2)


async def test_a_later_handoff_replaces_what_one_that_was_called_off_left_behind() -> None:
    old, new = Host("a"), Host(name="host-b", owner="host-a")
    await old.ask("a", "x")
    shard = old.mailboxes.shard("notebook", A)
    assert take(new.mailboxes, ["notebook", A, 1, 0, False, [["gone", 1, msgpack.packb(["old"]), []]], []])
    shard.ownership.mapped(ShardRow("notebook", A, "host-a", 2, "host-b"), "host-a")
    shard.serving = False
    assert await send(old.mailboxes, cast(Any, Road(new)), shard, 2, "host-b", [])
    assert set(new.mailboxes.shard("notebook", A).mailboxes) == {"a"}


def handoff_part(number: int, *entities: str, last: bool = False) -> list[Any]:
    return ["notebook", A, 1, number, last, [[id, 1, msgpack.packb([id]), []] for id in entities], []]


def test_a_part_that_comes_late_once_more_changes_nothing() -> None:
    new = Host(name="host-b", owner="host-a")
    first, second = handoff_part(0, "a", "b"), handoff_part(1, "c", last=True)
    for part in (first, first, second, first, second):
        assert take(new.mailboxes, part), "it is here"
    shard = new.mailboxes.shard("notebook", A)
    assert set(shard.mailboxes) == {"a", "b", "c"}
    assert shard.ownership.mapped(ShardRow("notebook", A, "host-b", 2), "host-b") is Action.ACTIVATE


def test_the_rest_of_a_handoff_whose_beginning_was_dropped_is_refused() -> None:
    new = Host(name="host-b", owner="host-a")
    assert take(new.mailboxes, handoff_part(0, "a"))
    shard = new.mailboxes.shard("notebook", A)
    assert shard.ownership.gave_up(1) is Action.DROP
    new.mailboxes.clear(shard)
    assert not take(new.mailboxes, handoff_part(1, "b", last=True))
    assert shard.ownership.mapped(ShardRow("notebook", A, "host-b", 2), "host-b") is Action.LOAD


async def test_a_map_is_known_as_soon_as_it_is_acted_on() -> None:
    """If it goes back while the stored answers are read, what was done after it is to be undone."""
    stored, failures = StoredMap(), [OSError("the connection broke")]
    shard_owner = ShardOwner(cast(Any, stored), cast(Any, Road(Host())))
    shard_owner.mailboxes.host = "host-a"
    shard_owner.mailboxes.add_kind(Host().mailboxes.runners[KIND.name])

    async def answers(shards: Iterable[tuple[str, int]]) -> list[tuple[str, int, Answer]]:
        if failures:
            raise failures.pop()
        return []

    stored.answers = answers  # type: ignore[method-assign]
    position = stored.says(ShardRow("notebook", A, "host-a", 2))
    await shard_owner.sync_quietly()
    ownership = shard_owner.mailboxes.shard("notebook", A).ownership
    assert (ownership.status, ownership.epoch) == (Status.LOADING, 2)
    assert shard_owner.position == position
    assert shard_owner.load_failed
    stored.rows = []
    await shard_owner.sync(position)
    assert ownership.status is Status.ACTIVE
    assert not shard_owner.load_failed


async def test_taking_over_many_shards_looks_at_the_answers_once(monkeypatch: pytest.MonkeyPatch) -> None:
    shard_owner = ShardOwner(cast(Any, StoredMap()), cast(Any, Road(Host())))
    shard_owner.mailboxes.host = "host-b"
    shard_owner.mailboxes.add_kind(Host().mailboxes.runners[KIND.name])
    known = shard_owner.mailboxes.answers.of(CALLER, 1, 0.0)[0]
    for call in range(1, 2 * SHARDS):
        known[call] = Entry(("notebook", call % SHARDS), b"an answer")
    looks: list[int] = []
    drop = DeduplicationTable.drop

    def counted(memory: DeduplicationTable, shards: Any) -> None:
        looks.append(len(shards))
        drop(memory, shards)

    monkeypatch.setattr(DeduplicationTable, "drop", counted)
    shard_owner._follow(ShardRow("notebook", number, "host-b", 2) for number in range(0, SHARDS, 2))
    assert looks == [SHARDS // 2]
    assert len(shard_owner.mailboxes.answers) == SHARDS, "what is known of other shards stays"
    shard_owner._follow(ShardRow("notebook", number, "host-c", 3) for number in range(0, SHARDS, 2))
    shard_owner.mailboxes.shard("notebook", 1)
    shard_owner.abandon()
    assert len(looks) == 3


async def test_calls_held_for_shards_that_were_lost_are_told_who_has_them() -> None:
    move = Move()
    move.map.says(*(ShardRow("notebook", number, "host-a", 1) for number in (A, B)))
    # Held: the shards are loading.
    for number in (A, B):
        shard: Shard = move.old.mailboxes.shard("notebook", number)
        shard.ownership.mapped(ShardRow("notebook", number, "host-a", 1), "host-a")
        assert shard.ownership.status is Status.LOADING
    calls = move.old.send("a", "x") + move.old.send("b", "x")
    move.map.says(*(ShardRow("notebook", number, "host-c", 2) for number in (A, B)))
    await move.shard_owner.sync()
    assert isinstance(move.old.mailbox, Mailbox)
    assert [await move.old.answer(call) for call in calls] == [(MOVED, "host-c")] * 2
    assert move.old.mailboxes.waiting == 0


async def test_what_was_answered_while_its_shard_drained_is_known_where_it_went() -> None:
    move = Move()
    await move.begin()
    move.old.handler.gate.clear()
    (slow,) = move.old.send("a", ["save", 1])
    (late,) = move.old.send("a", ["save", 2], left=1)
    version = move.ask_to_go()
    await move.shard_owner.sync()
    await asyncio.sleep(0.01)
    move.old.handler.gate.set()
    await move.old.answer(late)
    while (await move.shard_owner.release(version, CLAIMS[:1]))[0] != CLAIMS[:1]:
        await asyncio.sleep(0)
    move.new.own(A, epoch=2)
    move.new.send("a", ["save", 1], ["save", 2], calls=[slow, late])
    assert await move.new.answer(slow) == (DONE, 2)
    assert await move.new.answer(late) == (DONE, 3), "what did not run is not taken for an answer"


class SlowClock:
    """Each look at it takes a millisecond, as if the machine were slow."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        self.now += 0.001
        return self.now

    time = monotonic


async def test_a_host_that_takes_over_many_shards_does_not_stall_its_event_loop() -> None:
    """The lease is renewed by the same loop."""
    stored = StoredMap()
    shard_owner = ShardOwner(cast(Any, stored), cast(Any, Road(Host())), SlowClock())
    shard_owner.mailboxes.host = "host-b"
    shard_owner.mailboxes.add_kind(Host().mailboxes.runners[KIND.name])
    stored.says(*(ShardRow("notebook", number, "host-b", 1) for number in range(SHARDS)))
    sync = asyncio.create_task(shard_owner.sync())
    served = [0]
    while not sync.done():
        await asyncio.sleep(0)
        served.append(sum(1 for _ in shard_owner.mailboxes.served()))
    assert served[-1] == SHARDS
    assert max(after - before for before, after in pairwise(served)) < 10
