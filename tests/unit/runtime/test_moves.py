"""Single histories of moving shards, step by step, where chance would need long to find them (see test_model)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
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
    arrive(world)
    assert (owner(world), world.database.rows[SHARD].epoch) == (target, 2)
    hosts_read_the_map(world)
    loads: list[str] = []
    while world.network.under_way:
        loads += [passage.what for passage in under_way(world, "answers of")]
        world.network.arrive(world.network.under_way[0])
    assert not loads, "what came with the handoff is complete"
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
    # Found empty while it is still marked, it would be retired.
    world.database.hosts[first.host] = replace(world.database.hosts[first.host], draining=False)
    world.look(world.elect(3))
    hosts_read_the_map(world)
    arrive(world)
    row = world.database.rows[SHARD]
    assert (row.host, row.epoch) == (first.host, 3), "no move had to be called off"
    world.calm_down()


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


def test_a_move_to_a_host_that_died_is_called_off_and_the_shard_goes_elsewhere_from_memory(world: World) -> None:
    write(world)
    target, first = begin_move(world), owner(world)
    hosts_read_the_map(world)
    arrive(world, but=" released, ")
    world.loop.do(lambda: world.kill(target, restart=False))
    world.look(world.leader)
    row = world.database.rows[SHARD]
    assert (owner(world), row.epoch) == (first, 2)
    assert row.moving_to not in ("", target.host)
    for _ in range(3):
        world.go_on()
    assert world.database.rows[SHARD].epoch == 3, "the second move had to be called off too"
    world.calm_down()


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
