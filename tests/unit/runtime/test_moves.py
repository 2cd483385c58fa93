"""Single histories of moving shards, step by step, where chance would need long to find them (see test_model)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from actors.runtime.ownership import Status
from tests.unit.runtime.book import KIND
from tests.unit.runtime.processes import Process
from tests.unit.runtime.simulation import Passage
from tests.unit.runtime.world import ENTITIES, World

SHARD, ENTITY = 2, ENTITIES[3]
"""What host-2 owns at first."""


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    try:
        yield made
    finally:
        made.close()


def under_way(world: World, what: str) -> list[Passage]:
    return [passage for passage in world.network.under_way if what in passage.what]


def arrive(world: World, but: str = "nothing is held back") -> None:
    """All arrives, and what follows from it, but for some passages."""
    for _ in range(20):
        for passage in world.network.under_way[:]:
            if but not in passage.what:
                world.network.arrive(passage)
    assert all(but in passage.what for passage in world.network.under_way), "it goes round in circles"


def hosts_read_the_map(world: World) -> None:
    world.loop.do(*(process.beat for process in world.living()))


def routers_read_the_map(world: World) -> None:
    world.loop.do(*(partial(router.follow, world.views[-1]) for router in world.routers()))


def owner(world: World) -> Process:
    process = world.process(world.database.rows[SHARD].host.rpartition(".")[0])
    assert process is not None
    return process


def status(process: Process) -> Status:
    return process.tenure.residents.shard(KIND, SHARD).ownership.status


def write(world: World) -> None:
    """Written, acknowledged, in memory."""
    client = world.clients[0]
    operation = world.call(client, ENTITY, write=True, timeout=1000.0)
    for _ in range(3):
        client.send()
        arrive(world)
    assert operation.settled


def begin_move(world: World) -> Process:
    """host-2 is to go: its shard is on its way to the process that is returned, and neither host knows yet."""
    leader = world.elect(2)
    world.look(leader)
    world.look(leader)
    target = world.process(world.database.rows[SHARD].moving_to.rpartition(".")[0])
    assert target is not None
    return target


def test_a_move_in_quiet_succeeds_at_once_and_brings_the_state(world: World) -> None:
    write(world)
    target = begin_move(world)
    hosts_read_the_map(world)
    arrive(world, but="answers of")
    hosts_read_the_map(world)
    arrive(world, but="answers of")
    assert (owner(world), world.database.rows[SHARD].epoch) == (target, 2)
    assert not world.network.under_way, "what came with the handoff is complete, nothing is to be loaded"
    assert status(target) is Status.ACTIVE
    world.calm_down()


def test_a_shard_may_go_there_and_back(world: World) -> None:
    first = owner(world)
    begin_move(world)
    hosts_read_the_map(world)
    arrive(world)
    hosts_read_the_map(world)
    arrive(world)
    write(world)
    # It is empty and marked as draining, and wanted again: it stays.
    world.look(world.elect(3))
    hosts_read_the_map(world)
    arrive(world)
    row = world.database.rows[SHARD]
    assert (row.host, row.epoch) == (first.host, 3), "no move had to be called off"
    world.calm_down()


def test_turns_under_way_end_before_their_shard_goes(world: World) -> None:
    operation = world.call(world.clients[0], ENTITY, write=True, timeout=1000.0)
    world.clients[0].send()
    arrive(world, but="commit")
    begin_move(world)
    hosts_read_the_map(world)
    arrive(world, but="commit")
    assert status(owner(world)) is Status.DRAINING
    world.calm_down()
    assert operation.settled


def test_a_host_that_sent_a_shard_tells_calls_where_it_went(world: World) -> None:
    write(world)
    routers_read_the_map(world)
    target = begin_move(world)
    hosts_read_the_map(world)
    arrive(world, but=" released, ")
    world.network.under_way.clear()
    assert status(owner(world)) is Status.RELEASED
    client = world.clients[0]
    world.call(client, ENTITY, write=False, timeout=1000.0)
    client.send()
    arrive(world)
    assert client.table.waiting(target.host)


def test_a_move_under_way_is_finished_by_the_next_leader(world: World) -> None:
    write(world)
    target = begin_move(world)
    world.look(world.elect(2))
    for _ in range(3):
        world.go_on()
    assert (owner(world), world.database.rows[SHARD].epoch) == (target, 2)


@pytest.fixture
def growing() -> Iterator[World]:
    """One host had everything; a second one came and is to get a shard."""
    made = World(hosts=1)
    try:
        write(made)
        made.elect(2)
        made.look(made.leader)
        made.look(made.leader)
        routers_read_the_map(made)
        hosts_read_the_map(made)
        yield made
    finally:
        made.close()


def test_a_move_to_a_host_that_died_is_called_off_and_the_owner_goes_on_at_once(growing: World) -> None:
    first, second = growing.living()
    (moving,) = [row for row in growing.database.rows.values() if row.moving_to]
    assert (moving.shard, moving.moving_to) == (SHARD, second.host)
    arrive(growing, but=" released, ")
    assert status(first) is Status.RELEASED
    growing.loop.do(lambda: growing.kill(second, restart=False))
    growing.network.under_way.clear()
    growing.look(growing.leader)
    assert (owner(growing), growing.database.rows[SHARD].epoch) == (first, 2)
    hosts_read_the_map(growing)
    arrive(growing, but="answers of")
    assert not growing.network.under_way, "nothing is to be loaded"
    write(growing)
    growing.calm_down()


def test_a_call_that_was_held_and_sent_away_may_come_back(growing: World) -> None:
    _, second = growing.living()
    client = growing.clients[0]
    arrive(growing, but="handoff")
    held = growing.call(client, ENTITY, write=True, timeout=1000.0)
    client.send()
    arrive(growing, but="handoff")
    assert not held.settled
    arrive(growing, but=" released, ")
    assert client.table.waiting(second.host), "it was told where the shard went"
    growing.loop.do(lambda: growing.kill(second, restart=False))
    growing.network.under_way.clear()
    growing.look(growing.leader)
    growing.calm_down()
    assert held.settled


def test_what_was_sent_in_an_attempt_that_was_called_off_is_not_trusted_later(growing: World) -> None:
    first, second = growing.living()
    confirmation = f"{second.host} answers @{first.name}"
    arrive(growing, but=confirmation)
    for greeting in under_way(growing, confirmation):
        growing.network.arrive(greeting)
    arrive(growing, but=confirmation)
    # All of the shard is there, but its owner never hears of that.
    growing.network.under_way.clear()
    assert status(second) is Status.INCOMING
    growing.pass_time(20.0)
    growing.loop.do(first.beat)
    growing.look(growing.leader)
    growing.loop.do(first.beat)
    arrive(growing)
    assert (owner(growing), growing.database.rows[SHARD].epoch) == (first, 2)
    write(growing)
    growing.loop.do(lambda: growing.kill(first, restart=False))
    growing.look(growing.leader)
    assert owner(growing) is second
    growing.calm_down()


def test_parts_of_a_move_that_was_called_off_are_forgotten_after_a_while(growing: World) -> None:
    first, second = growing.living()
    arrive(growing, but="handoff")
    part = under_way(growing, "handoff")[0]
    growing.network.under_way.clear()
    growing.pass_time(20.0)
    growing.loop.do(first.beat)
    growing.look(growing.leader)
    hosts_read_the_map(growing)
    arrive(growing)
    growing.loop.do(part.arrive)
    assert status(second) is Status.INCOMING, "it may be held up by this until it is forgotten"
    growing.pass_time(31.0)
    growing.loop.do(second.tidy)
    assert status(second) is Status.ABSENT
    growing.calm_down()


def test_a_host_that_is_declared_dead_answers_nothing_from_memory(world: World) -> None:
    write(world)
    first, (client, other) = owner(world), world.clients
    first.stall()
    for _ in range(2):
        world.go_on(asleep={first.name, client.name})
    assert owner(world) is not first
    operation = world.call(other, ENTITY, write=True, timeout=1000.0)
    world.go_on(asleep={first.name, client.name})
    world.go_on(asleep={first.name, client.name})
    assert operation.settled
    world.call(client, ENTITY, write=False, timeout=1000.0)
    client.send()
    arrive(world)
    world.calm_down()


def test_a_call_that_waits_past_its_deadline_is_not_received(world: World) -> None:
    client = world.clients[0]
    late = world.call(client, ENTITY, write=True, timeout=1.0)
    client.send()
    arrive(world, but="load")
    world.pass_time(3.0)
    arrive(world)
    world.calm_down()
    assert late.settled
    assert not world.database.lines.get(ENTITY), "nobody waits for it"


def test_a_shard_that_is_gone_leaves_nothing_in_memory(world: World) -> None:
    write(world)
    first = owner(world)
    begin_move(world)
    for _ in range(2):
        hosts_read_the_map(world)
        arrive(world)
    assert owner(world) is not first
    assert len(first.tenure.residents.answers) == 0
    assert not first.tenure.residents.shard(KIND, SHARD).slots


def test_an_answer_that_was_lost_is_given_by_the_next_owner(world: World) -> None:
    client = world.clients[0]
    operation = world.call(client, ENTITY, write=True, timeout=1000.0)
    client.send()
    arrive(world, but=" answers ")
    (answer,) = under_way(world, " answers ")
    world.network.lose(answer)
    target = begin_move(world)
    hosts_read_the_map(world)
    arrive(world)
    hosts_read_the_map(world)
    arrive(world)
    assert owner(world) is target
    world.calm_down()
    assert operation.settled
    assert not world.database.collisions, "it ran again there"


def test_a_load_that_failed_is_tried_again(world: World) -> None:
    world.loop.do(lambda: world.kill(owner(world), restart=True))
    world.look(world.leader)
    hosts_read_the_map(world)
    arrive(world, but="answers of")
    (load,) = under_way(world, "answers of")
    assert status(owner(world)) is Status.LOADING
    world.network.lose(load)
    world.calm_down()
