"""Single histories of moving shards, step by step, where chance would need long to find them (see test_model)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from actors.runtime.hosting.ownership import Status
from tests.unit.runtime.book import KIND
from tests.unit.runtime.network import Passage
from tests.unit.runtime.processes import Process
from tests.unit.runtime.simulation import ENTITIES, LEASE, Simulation

SHARD, ENTITY = 2, ENTITIES[3]
"""What host-2 owns at first."""


@pytest.fixture
def simulation() -> Iterator[Simulation]:
    made = Simulation()
    try:
        yield made
    finally:
        made.close()


def under_way(simulation: Simulation, what: str) -> list[Passage]:
    return [passage for passage in simulation.network.under_way if what in passage.what]


def arrive(simulation: Simulation, but: str = "nothing is parked back") -> None:
    """All arrives, and what follows from it, but for some passages."""
    for _ in range(20):
        for passage in simulation.network.under_way[:]:
            if but not in passage.what:
                simulation.network.arrive(passage)
    assert all(but in passage.what for passage in simulation.network.under_way), "it goes round in circles"


def hosts_read_the_map(simulation: Simulation) -> None:
    simulation.loop.do(*(process.beat for process in simulation.living()))


def routers_read_the_map(simulation: Simulation) -> None:
    simulation.loop.do(*(partial(router.follow, simulation.views[-1]) for router in simulation.routers()))


def owner(simulation: Simulation) -> Process:
    process = simulation.process(simulation.database.rows[SHARD].host.rpartition(".")[0])
    assert process is not None
    return process


def status(process: Process) -> Status:
    return process.shard_owner.mailboxes.shard(KIND, SHARD).ownership.status


def write(simulation: Simulation) -> None:
    """Written, acknowledged, in memory."""
    client = simulation.clients[0]
    operation = simulation.call(client, ENTITY, write=True, timeout=1000.0)
    for _ in range(3):
        client.send()
        arrive(simulation)
    assert operation.settled


def begin_move(simulation: Simulation) -> Process:
    """host-2 is to go: its shard is on its way to the process that is returned, and neither host knows yet."""
    leader = simulation.elect(2)
    simulation.look(leader)
    simulation.look(leader)
    target = simulation.process(simulation.database.rows[SHARD].moving_to.rpartition(".")[0])
    assert target is not None
    return target


def test_a_move_in_quiet_succeeds_at_once_and_brings_the_state(simulation: Simulation) -> None:
    write(simulation)
    target = begin_move(simulation)
    hosts_read_the_map(simulation)
    arrive(simulation, but="answers of")
    hosts_read_the_map(simulation)
    arrive(simulation, but="answers of")
    assert (owner(simulation), simulation.database.rows[SHARD].epoch) == (target, 2)
    assert not simulation.network.under_way, "what came with the handoff is complete, nothing is to be loaded"
    assert status(target) is Status.ACTIVE
    simulation.calm_down()


def test_a_shard_may_go_there_and_back(simulation: Simulation) -> None:
    first = owner(simulation)
    begin_move(simulation)
    hosts_read_the_map(simulation)
    arrive(simulation)
    hosts_read_the_map(simulation)
    arrive(simulation)
    write(simulation)
    # It is empty and marked as draining, and wanted again: it stays.
    simulation.look(simulation.elect(3))
    hosts_read_the_map(simulation)
    arrive(simulation)
    row = simulation.database.rows[SHARD]
    assert (row.host, row.epoch) == (first.host, 3), "no move had to be called off"
    simulation.calm_down()


def test_turns_under_way_end_before_their_shard_goes(simulation: Simulation) -> None:
    operation = simulation.call(simulation.clients[0], ENTITY, write=True, timeout=1000.0)
    simulation.clients[0].send()
    arrive(simulation, but="commit")
    begin_move(simulation)
    hosts_read_the_map(simulation)
    arrive(simulation, but="commit")
    assert status(owner(simulation)) is Status.DRAINING
    simulation.calm_down()
    assert operation.settled


def test_a_host_that_sent_a_shard_tells_calls_where_it_went(simulation: Simulation) -> None:
    write(simulation)
    routers_read_the_map(simulation)
    target = begin_move(simulation)
    hosts_read_the_map(simulation)
    arrive(simulation, but=" released, ")
    simulation.network.under_way.clear()
    assert status(owner(simulation)) is Status.RELEASED
    client = simulation.clients[0]
    simulation.call(client, ENTITY, write=False, timeout=1000.0)
    client.send()
    arrive(simulation)
    assert client.table.waiting(target.host)


def test_a_move_under_way_is_finished_by_the_next_leader(simulation: Simulation) -> None:
    write(simulation)
    target = begin_move(simulation)
    simulation.look(simulation.elect(2))
    for _ in range(3):
        simulation.go_on()
    assert (owner(simulation), simulation.database.rows[SHARD].epoch) == (target, 2)


@pytest.fixture
def growing() -> Iterator[Simulation]:
    """One host had everything; a second one came and is to get a shard."""
    made = Simulation(hosts=1)
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


def test_a_move_to_a_host_that_died_is_called_off_and_the_owner_goes_on_at_once(growing: Simulation) -> None:
    first, second = growing.living()
    (moving,) = [row for row in growing.database.rows.values() if row.moving_to]
    assert (moving.shard, moving.moving_to) == (SHARD, second.host)
    arrive(growing, but=" released, ")
    assert status(first) is Status.RELEASED
    growing.loop.do(lambda: growing.kill(second, restart=False))
    growing.network.under_way.clear()
    growing.pass_time(LEASE)
    growing.look(growing.leader)
    assert (owner(growing), growing.database.rows[SHARD].epoch) == (first, 2)
    hosts_read_the_map(growing)
    arrive(growing, but="answers of")
    assert not growing.network.under_way, "nothing is to be loaded"
    write(growing)
    growing.calm_down()


def test_a_call_that_was_held_and_sent_away_may_come_back(growing: Simulation) -> None:
    _, second = growing.living()
    client = growing.clients[0]
    arrive(growing, but="handoff")
    parked = growing.call(client, ENTITY, write=True, timeout=1000.0)
    client.send()
    arrive(growing, but="handoff")
    assert not parked.settled
    arrive(growing, but=" released, ")
    assert client.table.waiting(second.host), "it was told where the shard went"
    growing.loop.do(lambda: growing.kill(second, restart=False))
    growing.network.under_way.clear()
    growing.look(growing.leader)
    growing.calm_down()
    assert parked.settled


def test_what_was_sent_in_an_attempt_that_was_called_off_is_not_trusted_later(growing: Simulation) -> None:
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
    growing.pass_time(LEASE)
    growing.look(growing.leader)
    assert owner(growing) is second
    growing.calm_down()


def test_parts_of_a_move_that_was_called_off_are_forgotten_after_a_while(growing: Simulation) -> None:
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
    assert status(second) is Status.INCOMING, "it may be parked up by this until it is forgotten"
    growing.pass_time(31.0)
    growing.loop.do(second.sweep)
    assert status(second) is Status.ABSENT
    growing.calm_down()


def test_a_host_that_is_declared_dead_answers_nothing_from_memory(simulation: Simulation) -> None:
    write(simulation)
    first, (client, other) = owner(simulation), simulation.clients
    first.stall()
    for _ in range(2):
        simulation.go_on(asleep={first.name, client.name})
    assert owner(simulation) is not first
    operation = simulation.call(other, ENTITY, write=True, timeout=1000.0)
    simulation.go_on(asleep={first.name, client.name})
    simulation.go_on(asleep={first.name, client.name})
    assert operation.settled
    simulation.call(client, ENTITY, write=False, timeout=1000.0)
    client.send()
    arrive(simulation)
    simulation.calm_down()


def test_a_call_that_waits_past_its_deadline_is_not_received(simulation: Simulation) -> None:
    client = simulation.clients[0]
    late = simulation.call(client, ENTITY, write=True, timeout=1.0)
    client.send()
    arrive(simulation, but="load")
    simulation.pass_time(3.0)
    arrive(simulation)
    simulation.calm_down()
    assert late.settled
    assert not simulation.database.lines.get(ENTITY), "nobody waits for it"


def test_a_shard_that_is_gone_leaves_nothing_in_memory(simulation: Simulation) -> None:
    write(simulation)
    first = owner(simulation)
    begin_move(simulation)
    for _ in range(2):
        hosts_read_the_map(simulation)
        arrive(simulation)
    assert owner(simulation) is not first
    assert len(first.shard_owner.mailboxes.answers) == 0
    assert not first.shard_owner.mailboxes.shard(KIND, SHARD).mailboxes


def test_an_answer_that_was_lost_is_given_by_the_next_owner(simulation: Simulation) -> None:
    client = simulation.clients[0]
    operation = simulation.call(client, ENTITY, write=True, timeout=1000.0)
    client.send()
    arrive(simulation, but=" answers ")
    (answer,) = under_way(simulation, " answers ")
    simulation.network.lose(answer)
    target = begin_move(simulation)
    hosts_read_the_map(simulation)
    arrive(simulation)
    hosts_read_the_map(simulation)
    arrive(simulation)
    assert owner(simulation) is target
    simulation.calm_down()
    assert operation.settled
    assert not simulation.database.collisions, "it ran again there"


def test_a_load_that_failed_is_tried_again(simulation: Simulation) -> None:
    simulation.loop.do(lambda: simulation.kill(owner(simulation), restart=True))
    simulation.look(simulation.leader)
    hosts_read_the_map(simulation)
    arrive(simulation, but="answers of")
    (load,) = under_way(simulation, "answers of")
    assert status(owner(simulation)) is Status.LOADING
    simulation.network.lose(load)
    simulation.calm_down()
