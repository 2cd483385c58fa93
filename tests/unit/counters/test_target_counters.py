"""The counters of one target in memory: after any history they are those of the reactions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.counters.entity import CounterEntity, Find, Reload, Store, counted_from_wire
from actors.runtime import Refused, Reply
from features.counters.machine import TargetCounters
from features.counters.model import REACTION_KINDS, Counted, reactions_view

ACCOUNTS = [bytes([number]) * 16 for number in range(12)]
REACTIONS = st.sampled_from([*REACTION_KINDS, None])


@given(st.lists(st.tuples(st.sampled_from(ACCOUNTS), REACTIONS)), st.integers(1, 12))
def test_counts_and_own_reactions_follow_what_is_stored(
    history: list[tuple[bytes, str | None]], max_known: int
) -> None:
    counters, stored = TargetCounters(max_known), dict[bytes, str]()
    for account, kind in history:
        before = stored.pop(account, None)
        if kind is not None:
            stored[account] = kind
        if before != kind:
            counters.reacted(account, before, kind)
            assert counters.knows(account)
        kinds = list(stored.values())
        assert counters.counts == {kind: kinds.count(kind) for kind in kinds}
        for other in ACCOUNTS:
            assert not counters.knows(other) or counters.own(other) == stored.get(other)


def test_a_target_with_more_reactions_than_memory_asks_for_what_it_does_not_know() -> None:
    counters = TargetCounters(2)
    counters.load({"like": 3, "sad": 0}, None)
    entity, ada = CounterEntity(counters), ACCOUNTS[0]
    assert counted(entity, None) == Counted({"like": 3})
    assert entity.receive(["read", ada], 0.0) == [Find(ada), Reply(None)]
    assert entity.packed(ada) is None
    counters.learn({ada: "like"})
    assert counted(entity, ada) == Counted({"like": 3}, "like")
    counters.learn({ACCOUNTS[1]: None, ACCOUNTS[2]: None})
    assert not counters.knows(ada), "whoever was asked for longest ago is forgotten"


def counted(entity: CounterEntity, account: bytes | None) -> Counted:
    """What a call replies, and what is read without one."""
    (reply,) = entity.receive(["read", account], 0.0)
    packed = entity.packed(account)
    assert packed is not None
    assert reply == Reply(packed)
    return counted_from_wire(packed)


def test_every_change_of_counts_and_of_ones_own_reaction_is_read() -> None:
    entity, (ada, bob, *_) = CounterEntity(TargetCounters(16)), ACCOUNTS
    assert counted(entity, ada) == Counted({})
    entity.counters.reacted(ada, None, "like")
    assert counted(entity, ada) == Counted({"like": 1}, "like")
    assert counted(entity, bob) == Counted({"like": 1})
    entity.counters.reacted(bob, None, "like")
    entity.counters.reacted(ada, "like", None)
    assert (counted(entity, ada), counted(entity, bob)) == (Counted({"like": 1}), Counted({"like": 1}, "like"))
    entity.counters.load({"comments": 4}, {ada: "wow"})
    assert (counted(entity, ada), counted(entity, bob)) == (Counted({"comments": 4}, "wow"), Counted({"comments": 4}))


def test_a_reaction_changes_nothing_before_it_is_stored() -> None:
    entity = CounterEntity(TargetCounters(2))
    assert entity.receive(["react", ACCOUNTS[0], "wow", 5.0], 6.0) == [Store(ACCOUNTS[0], "wow", 5.0)]
    assert entity.snapshot() == {}
    assert entity.receive(["reload"], 6.0) == [Reload()]


def test_a_kind_that_does_not_exist_is_refused() -> None:
    with pytest.raises(Refused):
        CounterEntity(TargetCounters(2)).receive(["react", ACCOUNTS[0], "dislike", 5.0], 6.0)


def test_a_snapshot_keeps_the_counts() -> None:
    counters = TargetCounters(2)
    counters.load({"love": 2}, {ACCOUNTS[0]: "love", ACCOUNTS[1]: "love"})
    moved = CounterEntity.restore(CounterEntity(counters).snapshot(), 2)
    assert moved.counters.counts == {"love": 2}
    assert not moved.counters.knows(ACCOUNTS[0])


def test_every_kind_is_shown() -> None:
    shown = reactions_view(Counted({"like": 2, "comments": 9}, "like"))
    assert (shown["total"], shown["own"], list(shown["counts"])) == (2, "like", list(REACTION_KINDS))
