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
