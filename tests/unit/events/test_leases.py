"""How partitions are shared out."""

from __future__ import annotations

import random

from cluster.events.leases import Plan, plan


def test_a_process_alone_claims_everything() -> None:
    assert plan(dict.fromkeys(range(8)), "a", 1) == Plan(frozenset(range(8)), frozenset())


def test_a_second_process_gets_half() -> None:
    owners: dict[int, str | None] = dict.fromkeys(range(8), "a")
    assert plan(owners, "b", 2) == Plan(frozenset(), frozenset())
    assert plan(owners, "a", 2) == Plan(frozenset(), frozenset({4, 5, 6, 7}))


def test_shares_settle_and_stay() -> None:
    chance = random.Random(3)
    for readers in range(1, 12):
        names = [f"r{n}" for n in range(readers)]
        owners: dict[int, str | None] = {number: chance.choice([None, *names]) for number in range(8)}
        for _ in range(5):
            for name in chance.sample(names, readers):
                decided = plan(owners, name, readers)
                owners |= dict.fromkeys(decided.release) | dict.fromkeys(decided.claim, name)
        assert None not in owners.values()
        assert all(plan(owners, name, readers) == Plan(frozenset(), frozenset()) for name in names)
        assert max(list(owners.values()).count(name) for name in names) == -(-8 // readers)
