"""Calls whose commit loses its connection are answered by what became of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.runtime.database import COMMIT_ATTEMPTS
from tests.unit.runtime.network import Passage
from tests.unit.runtime.simulation import ENTITIES, Operation, Simulation

ENTITY = ENTITIES[3]


@pytest.fixture
def simulation() -> Iterator[Simulation]:
    made = Simulation()
    try:
        yield made
    finally:
        made.close()


def under_way(simulation: Simulation, what: str) -> Passage:
    """The statement whose name begins like this, which has set out."""
    for _ in range(20):
        for client in simulation.clients:
            client.send()
        for passage in simulation.network.under_way[:]:
            if passage.what.startswith(what):
                return passage
            simulation.network.arrive(passage)
        simulation.pass_time(0.01)
    raise AssertionError(f"no {what}")


def write(simulation: Simulation) -> tuple[Operation, str]:
    """A call that writes a line, and how its commit is named."""
    operation = simulation.call(simulation.clients[0], ENTITY, write=True, timeout=1000.0)
    return operation, f"commit {[operation.name]}"


def acknowledged(simulation: Simulation, operation: Operation) -> bool:
    return operation.settled and operation.name in simulation._acknowledged[ENTITY]


@pytest.mark.parametrize("late", [True, False], ids=["after it took effect", "before"])
def test_a_commit_that_loses_its_connection_is_acknowledged_once_it_is_stored(
    simulation: Simulation, late: bool
) -> None:
    operation, commit = write(simulation)
    simulation.network.lose(under_way(simulation, commit), late=late)
    simulation.network.lose(under_way(simulation, "outcome"))
    assert not operation.settled, "nobody knows yet"
    for _ in range(4):
        simulation.go_on()
    assert acknowledged(simulation, operation)
    assert simulation.database.lines[ENTITY] == [operation.name]
    simulation.calm_down()


def test_a_call_fails_whose_commit_loses_its_connection_each_time_and_nothing_is_stored(
    simulation: Simulation,
) -> None:
    operation, commit = write(simulation)
    for _ in range(COMMIT_ATTEMPTS):
        simulation.network.lose(under_way(simulation, commit))
    for _ in range(4):
        simulation.go_on()
    assert operation.settled
    assert not acknowledged(simulation, operation)
    assert ENTITY not in simulation.database.lines
    simulation.calm_down()
