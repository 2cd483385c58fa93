"""A database that goes back: a restored backup, or a promoted replica that missed the last versions of the map."""

from __future__ import annotations

from dataclasses import replace

import pytest

from actors.runtime.shard_map import shard_of
from tests.unit.runtime.book import KIND
from tests.unit.runtime.simulation import ENTITIES, Simulation


@pytest.mark.parametrize("versions", [1, 5])
def test_shards_that_moved_in_the_lost_versions_are_served_again(versions: int) -> None:
    simulation = Simulation(hosts=2)
    try:
        database = simulation.database
        go_back = database.remember_map()
        shard, row = next(iter(database.rows.items()))
        entity = next(entity for entity in ENTITIES if shard_of(entity) == shard)
        for _ in range(versions):
            _move(simulation, shard)
        assert database.rows[shard].epoch == row.epoch + versions
        go_back()
        assert database.rows[shard] == row
        operations = []
        for _ in range(40):
            operations.append(simulation.call(simulation.clients[0], entity, write=True, timeout=60.0))
            simulation.go_on()
            simulation.check()
            simulation.pass_time(0.2)
        simulation.calm_down()
        assert all(operation.settled for operation in operations)
        assert set(database.lines[entity]) == {operation.name for operation in operations}
    finally:
        simulation.close()


def test_routers_hear_of_a_map_that_went_back_and_in_which_nothing_is_to_be_changed() -> None:
    """The lost version gave away the shards of a host that lives again by the restored one."""
    simulation = Simulation()
    try:
        go_back = simulation.database.remember()
        simulation.living()[0].stall()
        simulation.look(simulation.leader)
        simulation.restore(go_back)
        simulation.loop.do(*(process.beat for process in simulation.living()))
        simulation.calm_down()
        assert all(client.table.view.position == simulation.database.position for client in simulation.clients)
    finally:
        simulation.close()


@pytest.mark.parametrize("lost", [1, 3])
@pytest.mark.parametrize("seconds", [0.0, 5.0], ids=["of the last second", "of five seconds"])
def test_writes_that_are_lost_under_the_same_map_are_lost_in_memory_too(lost: int, seconds: float) -> None:
    """The restored map names the same owners at the same epochs, generation and version."""
    simulation = Simulation(hosts=2)
    try:
        database = simulation.database
        entity, client = ENTITIES[0], simulation.clients[0]
        kept = _write(simulation, entity)
        position, go_back = database.position, database.remember()
        for _ in range(lost):
            _write(simulation, entity)
            if seconds:
                simulation.pass_time(seconds)
                simulation.go_on()
        assert len(database.lines[entity]) == 1 + lost
        assert database.position == position
        simulation.restore(go_back)
        assert database.lines[entity] == [kept]
        # Before any heartbeat: the host that has all lines in memory adds nothing to them.
        hasty = simulation.call(client, entity, write=True, timeout=60.0)
        client.send()
        for passage in list(simulation.network.under_way):
            simulation.network.arrive(passage)
        for passage in list(simulation.network.under_way):
            simulation.network.arrive(passage)
        assert database.lines[entity] == [kept]
        for _ in range(10):
            simulation.go_on()
            simulation.check()
        later = _write(simulation, entity)
        simulation.calm_down()
        assert database.lines[entity] == [kept, hasty.name, later]
        assert all(row.host in database.hosts for row in database.rows.values())
    finally:
        simulation.close()


def test_lines_that_others_lost_are_noticed_by_a_host_that_wrote_none() -> None:
    simulation = Simulation(hosts=1)
    try:
        database, (host,) = simulation.database, simulation.living()
        first, go_back = host.host, database.remember()
        for _ in range(30):
            simulation.go_on()
        assert host.host == first
        simulation.restore(go_back)
        simulation.go_on()
        assert host.host != first
        simulation.calm_down()
    finally:
        simulation.close()


def test_a_postgres_that_crashed_and_lost_heartbeats_alone_costs_no_memory() -> None:
    """They are stored without waiting for the disk; all that was committed with waiting is there."""
    simulation = Simulation(hosts=1)
    try:
        database, (host,) = simulation.database, simulation.living()
        _write(simulation, ENTITIES[0])
        first, beats = host.host, dict(database.beats)
        for _ in range(10):
            simulation.go_on()
        database.beats = beats
        simulation.go_on()
        assert host.host == first
    finally:
        simulation.close()


def _write(simulation: Simulation, entity: str) -> str:
    """Writes a line, and returns it."""
    operation = simulation.call(simulation.clients[0], entity, write=True, timeout=60.0)
    for _ in range(20):
        simulation.go_on()
        if operation.settled:
            return operation.name
    raise AssertionError("a write was not acknowledged")


def _move(simulation: Simulation, shard: int) -> None:
    """One more version or two: the shard goes to the other host."""
    row = simulation.database.rows[shard]
    other = next(host for host in simulation.database.hosts if host != row.host)

    async def move() -> None:
        async with simulation.leader._deciding:
            await simulation.leader._store_rows([replace(row, moving_to=other)], "")

    simulation.loop.do(lambda: simulation.loop.create_task(move()))
    for _ in range(40):
        simulation.go_on()
        if simulation.database.rows[shard].host == other:
            return
    raise AssertionError(f"{KIND}/{shard} did not move")
