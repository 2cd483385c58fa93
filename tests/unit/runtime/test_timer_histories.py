"""Durable timers through crashes and moves, step by step; and that the model notices a runtime that loses or repeats
them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from actors.runtime.hosting.durable_timers import DurableTimers
from actors.runtime.hosting.turns import Received
from tests.unit.runtime.database import COMMIT_ATTEMPTS
from tests.unit.runtime.network import Passage
from tests.unit.runtime.simulation import ENTITIES, Simulation

SHARD, ENTITY = 2, ENTITIES[3]


@pytest.fixture
def simulation() -> Iterator[Simulation]:
    made = Simulation()
    try:
        yield made
    finally:
        made.close()


def plan(simulation: Simulation, seconds: float) -> str:
    """Sets a timer. Returns the line that it is to write, once that was acknowledged."""
    operation = simulation.plan(simulation.clients[0], ENTITY, seconds=seconds, timeout=1000.0)
    for _ in range(4):
        simulation.go_on()
    assert operation.settled
    assert simulation.database.planned[operation.name] == "set"
    return operation.name


def commit_of(simulation: Simulation, line: str) -> Passage:
    """The statement that is to store a timer's line, which has set out."""
    for _ in range(20):
        for passage in simulation.network.under_way[:]:
            if passage.what == f"commit {[line]}":
                return passage
            simulation.network.arrive(passage)
        simulation.pass_time(0.1)
    raise AssertionError("the timer is not received")


def kill_owner(simulation: Simulation) -> None:
    host = simulation.database.rows[SHARD].host
    process = simulation.process(host.rpartition(".")[0])
    assert process is not None
    simulation.loop.do(lambda: simulation.kill(process, restart=True))


def the_timer_is_due_while_its_host_is_gone(simulation: Simulation) -> str:
    line = plan(simulation, 5.0)
    kill_owner(simulation)
    simulation.pass_time(5.0)
    return line


def the_host_dies_before_the_commit(simulation: Simulation) -> str:
    line = plan(simulation, 1.0)
    simulation.pass_time(1.0)
    commit = commit_of(simulation, line)
    kill_owner(simulation)
    simulation.network.lose(commit)
    return line


def the_host_dies_and_its_commit_takes_effect(simulation: Simulation) -> str:
    line = plan(simulation, 1.0)
    simulation.pass_time(1.0)
    commit = commit_of(simulation, line)
    kill_owner(simulation)
    simulation.network.lose(commit, late=True)
    return line


def the_commit_is_lost(simulation: Simulation) -> str:
    line = plan(simulation, 1.0)
    simulation.pass_time(1.0)
    simulation.network.lose(commit_of(simulation, line))
    return line


def every_attempt_to_commit_is_lost(simulation: Simulation) -> str:
    line = plan(simulation, 1.0)
    simulation.pass_time(1.0)
    for _ in range(COMMIT_ATTEMPTS):
        simulation.network.lose(commit_of(simulation, line))
    return line


def the_outcome_of_the_commit_is_lost(simulation: Simulation) -> str:
    line = plan(simulation, 1.0)
    simulation.pass_time(1.0)
    simulation.network.lose(commit_of(simulation, line), late=True)
    return line


def the_shard_moves_before_the_timer_is_due(simulation: Simulation) -> str:
    line = plan(simulation, 40.0)
    simulation.elect(2)
    for _ in range(20):
        simulation.go_on()
    return line


def the_lease_ends_while_the_timer_is_due(simulation: Simulation) -> str:
    line = plan(simulation, 1.0)
    for process in simulation.living():
        process.stall()
    simulation.pass_time(2.0)
    return line


HISTORIES = [
    the_timer_is_due_while_its_host_is_gone,
    the_host_dies_before_the_commit,
    the_host_dies_and_its_commit_takes_effect,
    the_commit_is_lost,
    every_attempt_to_commit_is_lost,
    the_outcome_of_the_commit_is_lost,
    the_shard_moves_before_the_timer_is_due,
    the_lease_ends_while_the_timer_is_due,
]


@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: history.__name__)
def test_a_timer_fires_once(simulation: Simulation, history: Callable[[Simulation], str]) -> None:
    line = history(simulation)
    simulation.calm_down()
    assert simulation.database.planned[line] == "fired"
    assert simulation.database.lines[ENTITY].count(line) == 1


def _forget(*_arguments: Any) -> None:
    """Does nothing."""


async def _load_nothing(timers: DurableTimers, _store: Any) -> None:
    timers._to_load = {}


@pytest.mark.parametrize(
    ("owner", "name", "instead", "history"),
    [
        (Received, "fired", property(lambda _self: [], _forget), the_outcome_of_the_commit_is_lost),
        (DurableTimers, "failed", _forget, every_attempt_to_commit_is_lost),
        (DurableTimers, "load", _load_nothing, the_timer_is_due_while_its_host_is_gone),
    ],
    ids=["keeps timers that have fired", "tries a timer once", "knows only the timers that it has set"],
)
def test_the_model_notices_a_runtime_that(
    simulation: Simulation,
    monkeypatch: pytest.MonkeyPatch,
    owner: type,
    name: str,
    instead: Any,
    history: Callable[[Simulation], str],
) -> None:
    monkeypatch.setattr(owner, name, instead)
    history(simulation)
    with pytest.raises(AssertionError):
        simulation.calm_down()
