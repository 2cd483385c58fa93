"""Placement: every shard gets a home, evenly, and no more shards move than must."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from actors.runtime.coordination.placement import moves, spread

HOSTS = st.lists(st.sampled_from("abcdefgh"), min_size=1, unique=True)


@given(HOSTS, st.integers(0, 200))
def test_a_fresh_map_differs_by_at_most_one_shard_between_hosts(hosts: list[str], shards: int) -> None:
    counts = Counter(spread(range(shards), dict.fromkeys(hosts, 0)).values())
    assert sum(counts.values()) == shards
    assert max(counts[h] for h in hosts) - min(counts[h] for h in hosts) <= 1


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=150), HOSTS, st.integers(1, 40))
def test_repeated_rounds_end_even_with_the_fewest_moves(owners: list[str], staying: list[str], limit: int) -> None:
    current = dict(enumerate(owners))
    before = Counter(owners)
    moved: set[int] = set()
    for _ in range(1000):
        round_moves = moves(current, staying, limit)
        assert len(round_moves) <= limit
        if not round_moves:
            break
        assert not moved & round_moves.keys(), "a shard moved twice"
        assert all(current[shard] != host for shard, host in round_moves.items())
        moved |= round_moves.keys()
        current |= round_moves
    counts = Counter(current.values())
    assert set(counts) <= set(staying)
    assert max(counts[h] for h in staying) - min(counts[h] for h in staying) <= 1
    share = -(-len(owners) // len(staying))
    surplus = sum(max(0, before[h] - share) for h in staying)
    gone = sum(count for host, count in before.items() if host not in staying)
    lacking = sum(max(0, len(owners) // len(staying) - before[h]) for h in staying)
    assert len(moved) <= max(surplus + gone, lacking) + len(staying)


def test_shards_that_move_already_are_left_alone() -> None:
    owners = dict.fromkeys(range(10), "a")
    planned = moves(owners, ["a", "b"], 10, settled=set(range(8)))
    assert planned.keys() <= {8, 9}


def test_nobody_to_move_to_means_no_moves() -> None:
    assert moves({1: "a"}, [], 5) == {}
    assert spread([1], {}) == {}
