"""What a host, a router and a leader do when one cannot hear the other. Without Ray; test_network cuts real nodes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from actors.runtime.coordination.leader import Leader
from actors.runtime.hosting.ray_calls import BatchOrigin
from actors.runtime.hosting.shard_owner import ShardOwner
from actors.runtime.hosting.turns import TurnRunner
from actors.runtime.options import ScalingPolicy
from actors.runtime.shard_map import SHARDS, UNREAD, Endpoint, MapPosition, MapView, shard_of
from actors.runtime.store.rows import Claim, HostRow, Leadership, MapRead, MapWrite, Renewal, ShardRow
from actors.runtime.transport.frames import CALLS, DONE, NOT_MINE, pack, pack_body
from actors.runtime.transport.router import Router
from tests.cluster.runtime.test_stream import KIND, SECRET, Control, Host, Slowly, host
from tests.support.kind_context import kind_context

__all__ = ["host"]

CALLER = b"caller-1"
ENTITY = "somebody"
SHARD = shard_of(ENTITY)
CLAIM = (KIND.name, SHARD, 1)


def call(number: int, message: Any, left_ms: int = 5000) -> list[Any]:
    return [number, KIND.name, ENTITY, left_ms, pack_body(message)]


async def test_a_batch_with_a_leftover_in_it_is_answered_without_waiting(host: Host) -> None:
    later, late = BatchOrigin(1), BatchOrigin(2)
    host.mailboxes.deliver(later, CALLER, [CALLS, 2, call(3, 1)])
    host.mailboxes.deliver(late, CALLER, [CALLS, 1, call(1, 1), call(2, 1)])
    await asyncio.wait_for(late.complete.wait(), 30)
    await asyncio.wait_for(later.complete.wait(), 30)
    assert pack((1, NOT_MINE, None)) in late.answers, "its caller has had the answer; it did not run again"
    assert {*later.answers, *late.answers} >= {pack((3, DONE, 1)), pack((2, DONE, 2))}


async def test_a_call_that_came_two_ways_is_answered_both_ways(host: Host) -> None:
    first, second = BatchOrigin(1), BatchOrigin(1)
    host.mailboxes.deliver(first, CALLER, [CALLS, 1, call(1, ["wait", 0.1])])
    host.mailboxes.deliver(second, CALLER, [CALLS, 1, call(1, ["wait", 0.1])])
    await asyncio.wait_for(asyncio.gather(first.complete.wait(), second.complete.wait()), 30)
    assert first.answers == second.answers == [pack((1, DONE, 1))]


async def test_what_hangs_on_its_way_by_ray_goes_by_the_stream_as_soon_as_there_is_one(host: Host) -> None:
    control = Control(host, "node-1")
    hanging = asyncio.Event()

    async def deliver(_host: Endpoint, _caller: bytes, _frame: bytes) -> bytes:
        hanging.set()
        await asyncio.Event().wait()
        raise AssertionError

    control.deliver = deliver  # type: ignore[method-assign, assignment]
    host.stop()
    router = Router(control, SECRET)
    await router.start(60)
    waiting = router.call(KIND.name, ENTITY, 1, timeout=60)
    await asyncio.wait_for(hanging.wait(), 30)
    await host.listen()
    assert await waiting == 1
    await router.close()


class Map:
    """The stored map, as far as a host reads it and a leader writes it."""

    def __init__(self, hosts: Sequence[HostRow] = ()) -> None:
        self.version = 1
        self.rows = [ShardRow(KIND.name, number, "host-a", 1) for number in range(SHARDS)]
        self.living = hosts
        self.written: list[ShardRow] = []

    def set(self, row: ShardRow) -> None:
        self.version += 1
        self.rows[row.shard] = row

    @property
    def position(self) -> MapPosition:
        return MapPosition("g", self.version)

    async def shard_map(self, _known: MapPosition = UNREAD) -> MapRead:
        return MapRead(self.position, list(self.rows))

    async def answers(self, _shards: object) -> list[Any]:
        return []

    async def hosts(self) -> list[HostRow]:
        return list(self.living)

    async def renew(self, _generation: str, _lease: float) -> Renewal:
        return Renewal(self.version, list(self.living), 2.0)

    async def write_map(self, _leadership: Leadership, rows: Sequence[ShardRow]) -> MapWrite:
        self.written += rows
        for row in rows:
            self.set(row)
        return MapWrite(self.position, rows)


class Nobody:
    """A map that names a host which is out of reach."""

    node = "node-1"

    async def watch(self, known: MapPosition) -> tuple[MapView, bool]:
        if known.version >= 1:
            await asyncio.Event().wait()
        return MapView(1, {"host-b": Endpoint("host-1", "node-2", "127.0.0.1:1", "")}, {}), True

    async def check_watch(self) -> None:
        """It is here."""

    async def deliver(self, host: Endpoint, caller: bytes, frame: bytes) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError


async def test_shards_that_should_go_where_nobody_answers_are_served_all_the_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("actors.runtime.hosting.shard_owner._PING_SECONDS", 0.5)
    stored, router = Map(), Router(Nobody(), SECRET)
    await router.start(60)
    shard_owner = ShardOwner(stored, router)  # type: ignore[arg-type]
    mailboxes = shard_owner.mailboxes
    mailboxes.host = "host-a"
    mailboxes.serve_until = time.monotonic() + 1000
    mailboxes.add_kind(TurnRunner(KIND, Slowly(kind_context()), None))

    async def add(number: int) -> bytes:
        batch = BatchOrigin(1)
        mailboxes.deliver(batch, CALLER, [CALLS, number, call(number, 1)])
        await asyncio.wait_for(batch.complete.wait(), 30)
        return batch.answers[0]

    await shard_owner.sync()
    assert await add(1) == pack((1, DONE, 1))
    stored.set(ShardRow(KIND.name, SHARD, "host-a", 1, "host-b"))
    await shard_owner.sync()
    assert shard_owner.moves() == ([], []), "it is not known yet whether the other host can be reached"
    assert await add(2) == pack((2, DONE, 2))
    assert await shard_owner.release(stored.position, [CLAIM]) == ([], [CLAIM])
    assert shard_owner.moves() == ([], [CLAIM])
    assert await add(3) == pack((3, DONE, 3))
    stored.set(ShardRow(KIND.name, SHARD, "host-a", 2))
    await shard_owner.sync()
    assert shard_owner.moves() == ([], [])
    assert await add(4) == pack((4, DONE, 4))
    await shard_owner.close()
    await router.close()


class DeafHostActors:
    """Hosts that the leader's questions do not reach."""

    async def ensure(self, name: str) -> None:
        pass

    async def existing(self) -> list[str]:
        return []

    async def leaving_nodes(self) -> frozenset[str]:
        return frozenset()

    async def follow_worker_ends(self, announced: Callable[[str], None]) -> None:
        pass

    async def notify_map(self, name: str, position: MapPosition) -> None:
        pass

    async def release(
        self, name: str, position: MapPosition, claims: Sequence[Claim]
    ) -> tuple[list[Claim], list[Claim]]:
        await asyncio.Event().wait()
        raise AssertionError


@pytest.mark.parametrize(
    ("outcome", "settled"),
    [("released", ShardRow(KIND.name, SHARD, "host-b", 2)), ("refused", ShardRow(KIND.name, SHARD, "host-a", 2))],
)
async def test_a_move_ends_by_what_its_host_reports_where_the_leader_cannot_ask(
    outcome: str, settled: ShardRow
) -> None:
    """And a host that could not make one is not asked for another at once."""

    def row(letter: str, number: int, load: dict[str, Any]) -> HostRow:
        return HostRow(f"host-{letter}", f"host-{number}", f"node-{number}", "", "", False, load)

    stored = Map([row("a", 0, {outcome: [list(CLAIM), ["gone", 1, 1], [KIND.name, SHARD, 0]]}), row("b", 1, {})])
    for number in range(SHARDS):
        to = "host-b" if number == SHARD else ""
        stored.set(ShardRow(KIND.name, number, "host-a" if to or number % 2 else "host-b", 1, to))

    async def publish(_position: MapPosition) -> None:
        pass

    policy = ScalingPolicy(min_hosts=2, max_hosts=2)
    leadership = Leadership(1, stored.position)
    leader = Leader(leadership, stored, DeafHostActors(), [KIND.name], policy, publish)  # type: ignore[arg-type]
    await leader.load()
    await leader.tick(time.monotonic())
    assert stored.written[0] == settled
    assert not [row for row in stored.written if row.host == "host-a" and row.moving_to] or outcome == "released"
    await leader.close()
