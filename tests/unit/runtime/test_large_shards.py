"""A shard of many entities and messages comes and goes a slice at a time: the lease is renewed by the same event loop.

Each look at the clock takes a millisecond here, as if the machine were slow; a slice has five.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any, cast

import pytest

from actors.runtime.hosting.handoff import send
from actors.runtime.hosting.mailbox import Shard
from actors.runtime.hosting.mailboxes import Mailboxes
from actors.runtime.hosting.ownership import Action
from actors.runtime.hosting.turns import TurnRunner
from actors.runtime.shard_map import shard_of
from actors.runtime.store.rows import ShardRow
from actors.runtime.transport.frames import DONE, MOVED
from tests.unit.runtime.test_mailboxes import KIND, Host, Notebook
from tests.unit.runtime.test_shard_owner import Road, SlowClock

SHARD = shard_of("a")
ENTITIES = list(itertools.islice((str(n) for n in itertools.count() if shard_of(str(n)) == SHARD), 200))
MOST = 10
"""Entities that a slice may be for."""


def slow_host(name: str = "host-a", owner: str = "") -> Host:
    host = Host(name=name)
    clock = SlowClock()
    clock.now = time.monotonic()
    host.mailboxes = Mailboxes(name, lambda _kind, _number: owner, clock)
    host.mailboxes.add_kind(TurnRunner(KIND, host.handler))
    host.mailboxes.serve_until = clock.now + 1e6
    return host


def loading(host: Host) -> Shard:
    """The shard, with a message that waits for each entity."""
    shard = host.mailboxes.shard("notebook", SHARD)
    assert shard.ownership.mapped(ShardRow("notebook", SHARD, "host-a", 1), "host-a") is Action.LOAD
    for entity in ENTITIES:
        host.send(entity, "first")
    assert host.mailboxes.waiting == len(ENTITIES)
    return shard


async def steps(count: Callable[[], int], before: int = 0) -> list[int]:
    """By how much it grows with each iteration of the event loop, until it has everything."""
    counts = [before, count()]
    async with asyncio.timeout(60):
        while counts[-1] < len(ENTITIES):
            await asyncio.sleep(0)
            counts.append(count())
    return [after - before for before, after in pairwise(counts)]


async def test_what_is_parked_for_a_shard_that_was_lost_is_sent_on_in_slices() -> None:
    host = slow_host(owner="host-b")
    shard = loading(host)
    shard.ownership.mapped(ShardRow("notebook", SHARD, "host-b", 2), "host-a")
    host.mailboxes.send_on(shard)
    assert max(await steps(lambda: len(host.mailbox.answers))) <= MOST
    assert set(host.mailbox.answers.values()) == {(MOVED, "host-b")}
    assert host.mailboxes.waiting == 0


async def test_what_is_parked_is_let_in_in_slices_and_before_what_comes_later() -> None:
    host = slow_host()
    shard = loading(host)
    shard.ownership.loaded(1)
    host.mailboxes.let_in(shard)
    assert 0 < len(ENTITIES) - len(shard.parked) <= MOST
    later = [host.send(entity, "second")[0] for entity in ENTITIES]
    new = host.send("a", "new")[0]
    assert shard.parked
    assert await host.answer(new) == (DONE, 1)
    assert shard.parked, "who has no messages parked need not wait for those that have"
    assert max(await steps(lambda: len(ENTITIES) - len(shard.parked), len(ENTITIES) - len(shard.parked))) <= MOST
    assert [await host.answer(call) for call in later] == [(DONE, 2)] * len(ENTITIES)
    assert host.mailboxes.waiting == 0


async def test_a_move_that_begins_while_messages_are_let_in_holds_the_rest() -> None:
    host = slow_host()
    shard = loading(host)
    shard.ownership.loaded(1)
    host.mailboxes.let_in(shard)
    shard.ownership.mapped(ShardRow("notebook", SHARD, "host-a", 1, "host-b"), "host-a")
    shard.serving = False
    held = len(shard.parked)
    assert held > 0
    for _ in range(len(ENTITIES)):
        await asyncio.sleep(0)
    assert len(shard.parked) == held
    assert shard.ownership.mapped(ShardRow("notebook", SHARD, "host-a", 2), "host-a") is Action.ACTIVATE
    host.mailboxes.let_in(shard)
    for call in range(1, len(ENTITIES) + 1):
        assert await host.answer(call) == (DONE, 1)


async def test_a_soft_timer_does_not_overtake_what_is_parked_for_its_entity() -> None:
    host = slow_host()
    shard = loading(host)
    shard.ownership.loaded(1)
    host.mailboxes.let_in(shard)
    last = ENTITIES[-1]
    assert last in shard.parked
    mailbox = shard.mailboxes.setdefault(last, type(shard.mailboxes[ENTITIES[0]])())
    host.mailboxes.arm(shard, last, mailbox, 0.0, "timer")
    assert await host.answer(len(ENTITIES)) == (DONE, 1)
    async with asyncio.timeout(60):
        while (await host.ask(last, "read"))[1] != ["first", "timer"]:
            await asyncio.sleep(0)


async def test_a_shard_is_packed_in_slices_and_parts_have_bounded_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.runtime.hosting.handoff._PART_ITEMS", 60)
    old, new = slow_host(), Host(name="host-b", owner="host-a")
    shard = old.own(SHARD)
    for entity in ENTITIES:
        assert await old.ask(entity, "x") == (DONE, 1)
    packed: list[Notebook] = []
    snapshot = Notebook.snapshot

    def counted(notebook: Notebook) -> Any:
        packed.append(notebook)
        return snapshot(notebook)

    monkeypatch.setattr(Notebook, "snapshot", counted)
    shard.ownership.mapped(ShardRow("notebook", SHARD, "host-a", 1, "host-b"), "host-a")
    shard.serving = False
    road = Road(new)
    calls = old.mailboxes.answers.calls_of([("notebook", SHARD)])["notebook", SHARD]
    sending = asyncio.create_task(send(old.mailboxes, cast(Any, road), shard, 1, "host-b", calls))
    assert max(await steps(lambda: len(packed))) <= MOST
    assert await sending
    assert max(len(entities) + len(answers) for *_, entities, answers in road.sent) == 60
    assert sum(len(entities) for *_, entities, _ in road.sent) == len(ENTITIES)
    assert sum(len(answers) for *_, answers in road.sent) == len(ENTITIES)


async def test_a_move_that_is_called_off_while_its_shard_is_packed_sends_nothing() -> None:
    old = slow_host()
    shard = old.own(SHARD)
    for entity in ENTITIES:
        assert await old.ask(entity, "x") == (DONE, 1)
    shard.ownership.mapped(ShardRow("notebook", SHARD, "host-a", 1, "host-b"), "host-a")
    shard.serving = False
    road = Road(Host(name="host-b"))
    sending = asyncio.create_task(send(old.mailboxes, cast(Any, road), shard, 1, "host-b", []))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not sending.done()
    assert shard.ownership.mapped(ShardRow("notebook", SHARD, "host-a", 2), "host-a") is Action.ACTIVATE
    old.mailboxes.let_in(shard)
    assert await old.ask("new", "x")
    assert not await sending
    assert road.sent == []
    assert await old.ask(ENTITIES[0], "y") == (DONE, 2)
