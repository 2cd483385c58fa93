"""What one entity may take: of a turn, of memory, and of the event loop's time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors.runtime import Effect, EntityKind, Reply, Value
from actors.runtime.errors import Overloaded
from actors.runtime.hosting.mailboxes import Mailboxes
from actors.runtime.hosting.scheduler import MAX_TURN, SLICE_SECONDS
from actors.runtime.hosting.turns import TurnRunner
from actors.runtime.shard_map import shard_of
from actors.runtime.store.rows import ShardRow
from actors.runtime.transport.frames import CALLS, DONE, pack_body
from tests.unit.runtime.test_mailboxes import CALLER, Host, Mailbox, Saves


class ManualClock:
    """A clock that only moves when an entity works."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now


@pytest.mark.parametrize("messages", [1, MAX_TURN, 4 * MAX_TURN - 1])
async def test_a_turn_has_at_most_so_many_messages(messages: int) -> None:
    host = Host("a")
    host.handler.gate.clear()
    (first,) = host.send("a", ["save", -1])
    calls = host.send("a", *(["save", note] for note in range(messages)))
    host.handler.gate.set()
    for call in [first, *calls]:
        assert (await host.answer(call))[0] == DONE
    assert [note for turn in host.handler.turns for note in turn] == [-1, *range(messages)], "in order, each once"
    assert max(map(len, host.handler.turns)) <= MAX_TURN


async def test_what_waits_for_one_entity_is_bounded_and_others_are_served() -> None:
    host = Host("a", "b")
    size = host.mailboxes.runners["notebook"].kind.inbox_size
    await host.ask("a", "hello")
    host.handler.gate.clear()
    (under_way,) = host.send("a", ["save", "first"])
    waiting = host.send("a", *(["save", note] for note in range(size)))
    refused = host.send("a", "one", "more")
    for call in refused:
        assert (await host.answer(call))[0] == Overloaded.status
    assert (await host.ask("b", "x"))[0] == DONE
    host.handler.gate.set()
    for call in [under_way, *waiting]:
        assert (await host.answer(call))[0] == DONE
    # A refused call did not run and is not remembered: the same number may come again.
    host.send("a", "later", calls=[refused[0] + 100])
    assert (await host.answer(refused[0] + 100))[0] == DONE
    assert sum(map(len, host.handler.turns)) == size + 1
    assert host.mailboxes.waiting == 0


async def test_what_is_parked_for_one_entity_is_bounded_too() -> None:
    host = Host()
    shard = host.mailboxes.shard("notebook", shard_of("a"))
    shard.ownership.mapped(ShardRow("notebook", shard.number, host.mailboxes.host, 1), host.mailboxes.host)
    size = host.mailboxes.runners["notebook"].kind.inbox_size
    parked = host.send("a", *range(size))
    (refused,) = host.send("a", "one more")
    assert (await host.answer(refused))[0] == Overloaded.status
    host.mailboxes.let_in(shard)
    assert [(await host.answer(call))[1] for call in parked] == list(range(1, size + 1))


async def test_a_hot_entity_leaves_the_loop_to_others_between_slices() -> None:
    """Each message takes 1 ms of a clock that nothing else moves: no iteration of the loop is to hold it for longer
    than a slice and one message."""
    clock = ManualClock()
    cost = 0.001

    class Slow:
        def receive(self, message: Value, now: float) -> list[Effect]:
            clock.now += cost
            return [Reply(message)]

        def snapshot(self) -> Value:
            return None

    kind = EntityKind(
        "slow", create=lambda _id, _context: Slow(), restore=lambda _id, _version, _state, _context: Slow()
    )
    mailboxes = Mailboxes("host-a", lambda _kind, _number: "", clock)
    mailboxes.add_kind(TurnRunner(kind, Saves(), None))
    mailboxes.serve_until = clock.now + 1000
    for entity in ("hot", "calm"):
        shard = mailboxes.shard("slow", shard_of(entity))
        shard.ownership.mapped(ShardRow("slow", shard.number, "host-a", 1), "host-a")
        shard.ownership.loaded(1)
        mailboxes.let_in(shard)
    origin = Mailbox()

    def send(entity: str, first: int, count: int) -> None:
        items: list[Any] = [CALLS, 1, *([n, "slow", entity, 60_000, pack_body(n)] for n in range(first, first + count))]
        mailboxes.deliver(origin, CALLER, items)

    held: list[float] = []

    async def measure() -> None:
        while True:
            before = clock.now
            await asyncio.sleep(0)
            held.append(clock.now - before)

    measuring = asyncio.create_task(measure())
    send("hot", 1, 1)
    send("calm", 2, 1)
    while len(origin.answers) < 2:
        await asyncio.sleep(0)
    send("hot", 3, 1000)
    send("calm", 5000, 1)
    while 5000 not in origin.answers:
        await asyncio.sleep(0)
    ahead = len(origin.answers) - 3
    assert ahead < MAX_TURN, f"{ahead} messages of the hot entity went first"
    while len(origin.answers) < 1003:
        await asyncio.sleep(0)
    measuring.cancel()
    # Two callbacks of one iteration may each use a slice: the delivery of a frame and the turns.
    assert max(held) <= 2 * (SLICE_SECONDS + cost) + 1e-9
