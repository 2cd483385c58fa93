"""One leader's looks at its hosts: who is started, restarted and let go, what it counts, and what errors do to it."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest
from prometheus_client import REGISTRY

from actors.runtime.coordination.leader import Leader
from actors.runtime.options import ScalingPolicy
from actors.runtime.shard_map import SHARDS, MapPosition
from actors.runtime.store.rows import Claim, HostRow, Leadership, LostLeadership, MapWrite, ShardRow
from tests.unit.runtime.database import Database, LeaderStore

KIND = "counted"


class Hands:
    """Hosts that let go of what they are asked for, ``at_once`` shards an answer."""

    def __init__(self, at_once: int = SHARDS) -> None:
        self.at_once = at_once
        self.asked: list[int] = []
        self.ensured: set[str] = set()
        self.other_nodes: list[str] = []
        """Those that do not have the leader's version on their disk."""
        self.stopped: list[tuple[str, bool]] = []

    async def follow_worker_ends(self, announced: Callable[[str], None]) -> None:
        pass

    async def ensure(self, name: str) -> None:
        self.ensured.add(name)

    async def nodes_without(self, code_version: str) -> list[str]:
        return self.other_nodes

    async def existing(self) -> list[str]:
        return sorted(self.ensured)

    async def leaving_nodes(self) -> frozenset[str]:
        return frozenset()

    async def stop(self, name: str, *, restart: bool = False) -> None:
        self.stopped.append((name, restart))

    async def notify_map(self, name: str, position: MapPosition) -> None:
        pass

    async def release(
        self, name: str, position: MapPosition, claims: Sequence[Claim]
    ) -> tuple[list[Claim], list[Claim]]:
        self.asked.append(len(claims))
        return list(claims[: self.at_once]), []


class Stage:
    """A database, hosts and one leader after another."""

    def __init__(self, *names: str, policy: ScalingPolicy | None = None) -> None:
        self.database = Database()
        self.hands = Hands()
        self.policy = policy or ScalingPolicy()
        for name in names:
            self.register(name)

    def register(self, name: str, code_version: str = "v1", incarnation: int = 1) -> None:
        host = f"{name}.{incarnation}"
        self.database.hosts[host] = HostRow(host, name, f"node of {name}", "", "", False, {}, code_version)

    async def leader(self, code_version: str = "v1") -> Leader:
        async def publish(_position: MapPosition) -> None:
            pass

        store: Any = LeaderStore(self.database)
        leader = Leader(
            self.database.lead(), store, cast(Any, self.hands), [KIND], self.policy, publish, code_version=code_version
        )
        await leader.load()
        return leader

    def draining(self) -> set[str]:
        return {row.name for row in self.database.hosts.values() if row.draining}


async def settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


def moves(cause: str) -> float:
    return REGISTRY.get_sample_value("entativa_shard_moves_total", {"kind": KIND, "cause": cause}) or 0.0


async def test_a_leader_that_comes_while_a_host_is_away_keeps_the_others() -> None:
    stage = Stage("host-1", "host-2")
    leader = await stage.leader()
    for now in (0.0, 5.0, 10.0):
        await leader.tick(now)
        assert not stage.draining()
    stage.register("host-0")
    await leader.tick(11.0)
    await leader.tick(12.0)
    assert {row.name for row in stage.database.hosts.values()} == {"host-0", "host-1", "host-2"}
    assert not stage.draining()


async def test_a_host_that_stays_away_is_restarted_and_each_time_gets_longer_to_start() -> None:
    stage = Stage("host-0", "host-1", policy=ScalingPolicy(min_hosts=2))
    leader = await stage.leader()
    await leader.tick(0.0)
    del stage.database.hosts["host-1.1"]
    restarts: list[int] = []
    for second in range(1, 400):
        before = len(stage.hands.stopped)
        await leader.tick(float(second))
        await settle()
        if stage.hands.stopped[before:] == [("host-1", True)]:
            restarts.append(second)
    # Ray needs 15.5 s to notice the loss of a node, and a host some more to start.
    assert restarts[0] > 40
    first, second_, third = restarts
    assert second_ - first > 1.9 * (first - 1)
    assert third - second_ > 1.9 * (second_ - first)
    stage.register("host-1")
    await leader.tick(400.0)
    del stage.database.hosts["host-1.1"]
    await leader.tick(401.0)
    await leader.tick(402.0 + first)
    await settle()
    assert len(stage.hands.stopped) == len(restarts) + 1, "once it was back it is judged as before"


async def test_a_host_that_exists_and_never_served_is_replaced_too() -> None:
    stage = Stage(policy=ScalingPolicy(min_hosts=1))
    leader = await stage.leader()
    day = range(0, 24 * 3600, 5)
    for second in day:
        await leader.tick(float(second))
        await settle()
    replaced = [name for name, restart in stage.hands.stopped if restart]
    assert set(replaced) == {"host-0"}
    # Its start may just take long, so not all the time; but also not less and less often.
    assert 60 < len(replaced) < 200


@pytest.mark.parametrize("new_leader", [False, True])
async def test_a_host_that_hangs_as_it_starts_is_stopped_once_it_is_not_wanted(new_leader: bool) -> None:
    """The surge host of an update that was taken back."""
    stage = Stage("host-0", policy=ScalingPolicy(min_hosts=1, max_hosts=2))
    stage.database.target_version = "v2"
    leader = await stage.leader("v2")
    for second in range(5):
        await leader.tick(float(second))
        await settle()
    assert stage.hands.ensured == {"host-surge"}
    stage.database.target_version = "v1"
    if new_leader:
        leader = await stage.leader("v1")
    for second in range(5, 100):
        if second == 45:
            assert not stage.hands.stopped, "it may start late, and then it is drained"
        await leader.tick(float(second))
        await settle()
    assert stage.hands.stopped == [("host-surge", False)]


async def test_after_a_deploy_hosts_are_replaced_one_at_a_time_and_then_the_surge_host_goes() -> None:
    stage = Stage("host-0", "host-1", policy=ScalingPolicy(min_hosts=2))
    leader = await stage.leader()
    await leader.tick(0.0)
    stage.database.target_version = "v2"
    await leader.tick(1.0)
    assert not stage.draining(), "a leader of the old version has the old options"
    leader = await stage.leader("v2")
    stopped: list[str] = []
    stages: list[list[str]] = []
    for second in range(2, 60):
        await leader.tick(float(second))
        await settle()
        living = {row.name for row in stage.database.hosts.values()}
        assert len(living - stage.draining()) >= 2
        stages.append(sorted(f"{row.name} {row.code_version}" for row in stage.database.hosts.values()))
        for name, _ in stage.hands.stopped[len(stopped) :]:
            stopped.append(name)
        for name in stage.hands.ensured - living:
            stage.register(name, "v2", incarnation=second)
        stage.hands.ensured.clear()
    assert stopped == ["host-0", "host-1", "host-surge"]
    assert stages[-1] == ["host-0 v2", "host-1 v2"]
    assert max(len(stage) for stage in stages) == 3
    assert sum(row.host.startswith("host-0.") for row in stage.database.rows.values()) == SHARDS // 2


async def test_no_host_is_replaced_while_a_node_has_other_code() -> None:
    stage = Stage("host-0", policy=ScalingPolicy(min_hosts=1))
    stage.database.target_version = "v2"
    stage.hands.other_nodes = ["node-1"]
    leader = await stage.leader("v2")
    for second in range(30):
        await leader.tick(float(second))
        await settle()
    assert stage.hands.ensured == set()
    assert not stage.draining()
    stage.hands.other_nodes = []
    for second in range(30, 60):
        await leader.tick(float(second))
        await settle()
    assert stage.hands.ensured == {"host-surge"}


async def test_a_leader_that_comes_in_the_middle_of_an_update_wants_as_many_hosts_as_before() -> None:
    stage = Stage("host-0", "host-1", "host-2", policy=ScalingPolicy(min_hosts=1))
    stage.database.hosts["host-2.1"] = replace(stage.database.hosts["host-2.1"], draining=True)
    stage.database.target_version = "v2"
    stage.register("host-surge", "v2")
    leader = await stage.leader("v2")
    for second in range(3):
        await leader.tick(float(second))
        await settle()
    assert {row.name for row in stage.database.hosts.values()} == {"host-0", "host-1", "host-2", "host-surge"}


@pytest.mark.parametrize("replaced", [True, False], ids=["replaced", "not wanted"])
async def test_a_host_that_registers_once_more_before_it_is_ended_gets_no_shards(replaced: bool) -> None:
    """Its process hears that its row is gone before Ray ends it; the next look takes the new row away."""
    stage = Stage("host-0", "host-1", policy=ScalingPolicy(min_hosts=2 if replaced else 1))
    leader = await stage.leader("v2" if replaced else "v1")
    if replaced:
        stage.database.target_version = "v2"
        stage.register("host-surge", "v2")
    else:
        leader.fleet.wanted = 1
    late: set[str] = set()
    for second in range(30):
        await leader.tick(float(second))
        await settle()
        assert not late & stage.database.hosts.keys()
        assert not late & {host for row in stage.database.rows.values() for host in (row.host, row.moving_to)}
        for name, _ in stage.hands.stopped:
            if f"{name}.2" not in late:
                stage.register(name, incarnation=2)
                late.add(f"{name}.2")
    assert late == {"host-0.2" if replaced else "host-1.2"}


async def test_a_kind_that_an_update_adds_is_for_hosts_that_have_it() -> None:
    """A host of the version before answers its calls with an error, and cannot be asked to let go of it."""
    stage = Stage("host-0", "host-1", policy=ScalingPolicy(min_hosts=2))
    stage.database.target_version = "v2"
    for host, row in stage.database.hosts.items():
        stage.database.hosts[host] = replace(row, load={"entities_by_kind": {"another": 0}})
    stage.hands.at_once = 0
    leader = await stage.leader("v2")
    for second in range(3):
        await leader.tick(float(second))
        await settle()
    assert stage.database.rows == {}
    stage.register("host-surge", "v2")
    for second in range(3, 6):
        await leader.tick(float(second))
        await settle()
    assert {row.host for row in stage.database.rows.values()} == {"host-surge.1"}
    assert len(stage.database.rows) == SHARDS
    assert stage.hands.stopped[0] == ("host-0", False), "it has nothing to give away"


async def test_outdated_hosts_are_counted() -> None:
    stage = Stage("host-0", "host-1", policy=ScalingPolicy(min_hosts=2))
    leader = await stage.leader()
    stage.database.target_version = "v2"
    await leader.tick(5.0)
    assert REGISTRY.get_sample_value("entativa_shard_hosts", {"state": "outdated"}) == 2


async def test_only_shards_that_changed_owner_are_moves() -> None:
    repaired, balanced = moves("repair"), moves("balance")
    stage = Stage("host-0", policy=ScalingPolicy(min_hosts=2))
    leader = await stage.leader()
    for now in (0.0, 5.0):
        await leader.tick(now)
    assert len(stage.database.rows) == SHARDS
    assert (moves("repair"), moves("balance")) == (repaired, balanced), "first placements are none"
    stage.hands.at_once = 0
    stage.register("host-1")
    await leader.tick(6.0)
    assert any(row.moving_to for row in stage.database.rows.values())
    del stage.database.hosts["host-1.1"]
    await leader.tick(7.0)
    assert not any(row.moving_to for row in stage.database.rows.values())
    assert (moves("repair"), moves("balance")) == (repaired, balanced), "nor are those that were called off"
    stage.database.lead()
    del stage.database.hosts["host-0.1"]
    stage.register("host-2")
    with pytest.raises(LostLeadership):
        await leader.tick(8.0)
    assert moves("repair") == repaired, "nor what could not be stored"
    leader = await stage.leader()
    await leader.tick(9.0)
    assert moves("repair") == repaired + SHARDS


async def test_a_host_that_lets_go_bit_by_bit_is_asked_again_at_once() -> None:
    stage = Stage("host-0", policy=ScalingPolicy(min_hosts=2))
    leader = await stage.leader()
    for now in (0.0, 5.0):
        await leader.tick(now)
    stage.register("host-1")
    stage.hands.at_once = 24
    await leader.tick(6.0)
    await settle()
    assert stage.hands.asked == [64, 40, 16]
    assert sum(row.host == "host-1.1" for row in stage.database.rows.values()) == 64


@pytest.mark.parametrize("error", [LostLeadership("the term is over"), OSError("the connection broke")])
async def test_a_move_that_cannot_be_stored_is_left_to_the_next_look(error: Exception) -> None:
    stage = Stage("host-0", policy=ScalingPolicy(min_hosts=2))
    leader = await stage.leader()
    for now in (0.0, 5.0):
        await leader.tick(now)
    stage.register("host-1")
    unretrieved: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: unretrieved.append(context))
    stored = stage.database.write_map

    def write_map(leadership: Leadership, rows: Sequence[ShardRow]) -> MapWrite:
        if any(row.epoch > 1 for row in rows):
            raise error
        return stored(leadership, rows)

    stage.database.write_map = write_map  # type: ignore[method-assign]
    await leader.tick(6.0)
    await settle()
    gc.collect()
    await settle()
    asyncio.get_running_loop().set_exception_handler(None)
    assert not unretrieved
    stage.database.write_map = stored  # type: ignore[method-assign]
    await leader.tick(7.0)
    await settle()
    assert any(row.host == "host-1.1" for row in stage.database.rows.values())
