"""A host whose process has certainly ended loses its shards at once; one that only seems to be gone keeps its lease."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY

from tests.unit.runtime.processes import Process
from tests.unit.runtime.simulation import LEASE, Simulation

SHARD = 2


@pytest.fixture
def simulation() -> Iterator[Simulation]:
    made = Simulation()
    try:
        yield made
        made.calm_down()
    finally:
        made.close()


def owner(simulation: Simulation) -> str:
    return simulation.database.rows[SHARD].host


def kill_owner(simulation: Simulation, *, restart: bool = False) -> Process:
    (victim,) = (process for process in simulation.living() if process.host == owner(simulation))
    simulation.loop.do(lambda: simulation.kill(victim, restart=restart))
    return victim


def arrive(simulation: Simulation, what: str) -> None:
    (passage,) = (passage for passage in simulation.network.under_way if passage.what.startswith(what))
    simulation.network.arrive(passage)


def declared_dead(cause: str) -> float:
    name = "entativa_shard_hosts_declared_dead_total"
    return REGISTRY.get_sample_value(name, {"cause": cause}) or 0.0


def test_a_host_whose_process_has_ended_loses_its_shards_before_its_lease_ends(simulation: Simulation) -> None:
    proven = declared_dead("process ended")
    victim = kill_owner(simulation)
    simulation.look(simulation.leader)
    assert owner(simulation) == victim.host
    arrive(simulation, f"the end of {victim.worker}")
    assert not simulation.leader.due.is_set(), "an announcement is no proof"
    arrive(simulation, f"whether {victim.worker} has ended")
    assert simulation.leader.due.is_set(), "the leader need not wait for its next tick"
    simulation.look(simulation.leader)
    assert owner(simulation) in {process.host for process in simulation.living()}
    assert victim.host not in simulation.database.hosts
    assert declared_dead("process ended") == proven + 1
    assert not simulation.leader.due.is_set()


@pytest.mark.parametrize("late", [False, True])
def test_a_host_of_whose_end_nobody_hears_keeps_its_shards_until_its_lease_ends(
    simulation: Simulation, late: bool
) -> None:
    """Ray's head is away, and hears of the end later or never."""
    ended = declared_dead("lease ended")
    victim = kill_owner(simulation)
    (end,) = simulation.network.under_way
    simulation.network.lose(end, late=late)
    simulation.pass_time(0.9 * LEASE)
    simulation.look(simulation.leader)
    assert owner(simulation) == victim.host
    simulation.pass_time(0.1 * LEASE)
    simulation.look(simulation.leader)
    assert owner(simulation) != victim.host
    assert declared_dead("lease ended") == ended + 1


def test_an_announced_end_that_is_none_changes_nothing(simulation: Simulation) -> None:
    """As where Ray has told a process to end, which may live for seconds, or cannot be reached."""
    before = owner(simulation)
    (process,) = (process for process in simulation.living() if process.host == before)
    simulation.loop.do(lambda: simulation.announce_end(process.worker))
    arrive(simulation, f"whether {process.worker} has ended")
    simulation.look(simulation.leader)
    assert owner(simulation) == before
    assert not simulation.leader.due.is_set()


def test_the_end_of_a_process_is_not_that_of_the_next_one_of_its_name(simulation: Simulation) -> None:
    victim = kill_owner(simulation, restart=True)
    simulation.look(simulation.leader)
    (successor,) = (process for process in simulation.living() if process.name == victim.name)
    assert victim.host not in simulation.database.hosts, "Ray starts it again only after its end"
    for _ in range(3):
        simulation.go_on()  # so that the end is announced now, to a leader that knows the successor
    simulation.loop.do(lambda: simulation.announce_end(victim.worker))
    assert victim.worker in simulation.ended_workers
    simulation.look(simulation.leader)
    assert successor.host in simulation.database.hosts


def test_the_end_of_the_only_host_is_nobody_s_concern() -> None:
    """Nobody else could have its shards."""
    simulation = Simulation(hosts=1)
    try:
        assert not simulation.told_of_ends
        simulation.calm_down()
    finally:
        simulation.close()
