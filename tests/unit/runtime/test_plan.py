"""The coordinator's decisions: every shard has a living owner, moves end, and old news changes nothing."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from actors.runtime.coordination.plan import MAX_MOVES, ShardPlan
from actors.runtime.shard_map import SHARDS
from actors.runtime.store.rows import ShardRow

LIVING = {"a": False, "b": False}


def started(*hosts: str, shards: int = 8) -> ShardPlan:
    coordination = ShardPlan(["k"], shards=shards)
    coordination.apply(coordination.repair(dict.fromkeys(hosts, False)))
    return coordination


def owners(coordination: ShardPlan) -> dict[int, str]:
    return {shard: row.host for shard, row in coordination.rows["k"].items()}


def test_a_new_runtime_spreads_all_shards_of_all_kinds() -> None:
    coordination = ShardPlan(["k", "l"])
    coordination.apply(coordination.repair(LIVING))
    for kind in ("k", "l"):
        hosts = [row.host for row in coordination.rows[kind].values()]
        assert len(hosts) == SHARDS
        assert hosts.count("a") == hosts.count("b") == SHARDS // 2
    assert coordination.repair(LIVING) == []
    assert coordination.balance(LIVING) == []


def test_without_hosts_nothing_is_decided() -> None:
    assert ShardPlan(["k"]).repair({}) == []
    assert started("a").repair({}) == []


def test_shards_of_a_dead_host_get_an_owner_at_the_next_epoch_and_others_stay() -> None:
    coordination = started("a", "b")
    before = dict(coordination.rows["k"])
    changed = coordination.repair({"b": False})
    assert {row.shard for row in changed} == {s for s, row in before.items() if row.host == "a"}
    assert all(row.host == "b" and row.epoch == before[row.shard].epoch + 1 for row in changed)


def test_a_shard_on_its_way_goes_to_its_new_host_if_the_old_one_dies() -> None:
    coordination = started("a", shards=1)
    coordination.apply(coordination.balance({"a": True, "b": False}))
    assert coordination.repair({"b": False, "c": False}) == [ShardRow("k", 0, "b", 2)]


def test_a_shard_on_its_way_stays_if_the_new_host_dies() -> None:
    coordination = started("a", shards=1)
    coordination.apply(coordination.balance({"a": True, "b": False}))
    assert coordination.repair({"a": True}) == [ShardRow("k", 0, "a", 2)]


def test_both_ends_of_a_move_may_die() -> None:
    coordination = started("a", shards=1)
    coordination.apply(coordination.balance({"a": True, "b": False}))
    assert coordination.repair({"c": False}) == [ShardRow("k", 0, "c", 2)]


def test_a_released_shard_changes_owner_once() -> None:
    coordination = started("a", shards=1)
    (moving,) = coordination.balance({"a": True, "b": False})
    coordination.apply([moving])
    (finished,) = coordination.released([moving])
    assert finished == ShardRow("k", 0, "b", 2)
    coordination.apply([finished])
    assert coordination.released([moving]) == coordination.refused([moving]) == []


def test_a_refused_move_leaves_the_owner_at_a_new_epoch() -> None:
    coordination = started("a", shards=1)
    (moving,) = coordination.balance({"a": True, "b": False})
    coordination.apply([moving])
    assert coordination.refused([moving]) == [ShardRow("k", 0, "a", 2)]


def test_claims_about_another_target_are_old_news() -> None:
    coordination = started("a", shards=1)
    (moving,) = coordination.balance({"a": True, "b": False})
    coordination.apply([moving])
    assert coordination.released([replace(moving, moving_to="c")]) == []


def test_a_draining_host_is_emptied_in_rounds() -> None:
    coordination = started("a", "b", shards=4 * MAX_MOVES)
    living, rounds = {"a": True, "b": False}, 0
    while moves := coordination.balance(living):
        assert len(moves) <= MAX_MOVES
        coordination.apply(moves)
        assert coordination.balance(living) == [], "no more than a round at a time"
        coordination.apply(coordination.released(coordination.moving()))
        rounds += 1
    assert rounds == 2
    assert coordination.owned("a") == 0


def test_when_every_host_drains_shards_stay_owned() -> None:
    coordination = started("a")
    assert coordination.balance({"a": True}) == []
    assert all(row.host == "b" for row in coordination.repair({"b": True}))


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans(), st.booleans()), max_size=25))
def test_hosts_come_go_and_drain_and_every_shard_always_has_a_living_owner(
    history: list[tuple[str, bool, bool]],
) -> None:
    coordination, living = ShardPlan(["k"], shards=16), {"a": False}
    for host, lives, drains in history:
        if lives:
            living[host] = drains
        elif len(living) > 1:
            living.pop(host, None)
        epochs = {shard: row.epoch for shard, row in coordination.rows["k"].items()}
        coordination.apply(coordination.repair(living))
        coordination.apply(coordination.balance(living))
        if drains:
            coordination.apply(coordination.released(coordination.moving()))
        rows = coordination.rows["k"]
        assert set(owners(coordination)) == set(range(16))
        assert all(row.host in living and (not row.moving_to or row.moving_to in living) for row in rows.values())
        assert all(row.epoch >= epochs.get(shard, 0) for shard, row in rows.items())
