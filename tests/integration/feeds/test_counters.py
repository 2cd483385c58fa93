"""Reactions with counters in memory: what holds without them, and what only an entity can get wrong."""

from __future__ import annotations

import asyncio
import random
from uuid import UUID

import pytest

from features.counters.model import NOTHING_COUNTED, REACTION_KINDS, Counted, ReactionKind, Target, TargetKind
from features.counters.policy import CounterPolicy
from features.counters.ports import COUNTERS, Counters
from features.counters.service import CounterService
from tests.integration.feeds.conftest import set_patience
from tests.integration.test_reactions import (
    environment,
    publish,
    react,
    shown,
    test_a_person_has_one_reaction_in_every_view,
    test_a_recount_makes_counts_right,
    test_bad_input_is_named,
    test_counts_stay_right_whatever_happens_at_once,
    test_reactions_go_with_their_post_and_with_their_account,
    test_who_is_apart_is_not_listed,
    test_who_reacted_newest_first_and_by_kind,
    wrong_counts,
)
from tests.support.environment import Environment
from tests.support.people import add_people
from tests.support.timeline_host import HOSTS

__all__ = [
    "environment",
    "test_a_person_has_one_reaction_in_every_view",
    "test_a_recount_makes_counts_right",
    "test_bad_input_is_named",
    "test_counts_stay_right_whatever_happens_at_once",
    "test_reactions_go_with_their_post_and_with_their_account",
    "test_who_is_apart_is_not_listed",
    "test_who_reacted_newest_first_and_by_kind",
]

FANS, TOGGLES = 300, 2_000


@pytest.fixture
def counter_policy() -> CounterPolicy:
    """Fewer reactions in memory than the tests below have."""
    return CounterPolicy(max_known=16)


def counters_of(environment: Environment) -> Counters:
    found = environment.platform.service(CounterService).counters
    assert found is not None, COUNTERS
    return found


async def fans_of(environment: Environment, count: int) -> list[UUID]:
    await add_people(environment, count, "fan")
    rows = await environment.platform.database.pool.fetch("select account_id from profiles where username like 'fan%'")
    return [row["account_id"] for row in rows]


async def test_thousands_of_toggles_on_one_post_are_counted_exactly(environment: Environment) -> None:
    """The benchmark content.hot_reactions_per_s does it with more."""
    author = await environment.member("author")
    target = Target(TargetKind.POST, UUID(await publish(author)))
    counters, fans, chance = counters_of(environment), await fans_of(environment, FANS), random.Random(7)
    kinds = (*REACTION_KINDS, None)
    last: dict[UUID, str | None] = {}

    async def toggle(fan: UUID) -> None:
        """The toggles of one person come one after the other."""
        for _ in range(TOGGLES // FANS):
            last[fan] = chance.choice(kinds)
            await counters.react(target, fan, last[fan], environment.clock())

    await asyncio.gather(*map(toggle, fans))
    assert await wrong_counts(environment) == []
    expected = {kind: list(last.values()).count(kind) for kind in REACTION_KINDS}
    for fan in fans:
        (found,) = await counters.read([target], fan)
        assert ({kind: found.counts.get(kind, 0) for kind in REACTION_KINDS}, found.own) == (expected, last[fan])
    assert (await author.get(f"/posts/{target.id}")).json()["reactions"] == shown(None, **expected)


async def test_a_page_of_posts_nobody_has_read_costs_few_statements(environment: Environment) -> None:
    author = await environment.member("author")
    targets = [Target(TargetKind.POST, UUID(await publish(author, str(number)))) for number in range(20)]
    (fan,) = await fans_of(environment, 1)
    counters = counters_of(environment)
    assert await counters.read(targets, fan) == [NOTHING_COUNTED] * 20
    await counters.react(targets[3], fan, ReactionKind.CARE, environment.clock())
    assert [found.own for found in await counters.read(targets, fan)] == [None] * 3 + ["care"] + [None] * 16


async def test_an_account_that_is_not_active_stores_nothing(environment: Environment) -> None:
    """Its requests are refused before; one may be under way while it is deactivated."""
    author = await environment.member("author")
    target = Target(TargetKind.POST, UUID(await publish(author)))
    (fan,) = await fans_of(environment, 1)
    pool = environment.platform.database.pool
    await pool.execute("update accounts set state = 'deactivated' where id = $1", fan)
    await counters_of(environment).react(target, fan, ReactionKind.LIKE, environment.clock())
    assert await counters_of(environment).read([target], fan) == [NOTHING_COUNTED]
    assert await pool.fetchval("select count(*) from reactions") == 0


async def test_a_post_that_is_gone_gets_no_reactions(environment: Environment) -> None:
    """A request may be under way while the post is deleted."""
    author = await environment.member("author")
    target = Target(TargetKind.POST, UUID(await publish(author)))
    (fan,) = await fans_of(environment, 1)
    assert (await author.delete(f"/posts/{target.id}")).is_success
    await environment.drain()
    await counters_of(environment).react(target, fan, ReactionKind.LIKE, environment.clock())
    pool = environment.platform.database.pool
    assert await pool.fetchval("select count(*) from reactions") == 0
    assert await pool.fetchval("select count(*) from target_counts") == 0


async def test_without_a_host_counters_are_read_from_postgres_and_nothing_is_stored(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await environment.member("ada")
    post_id = await publish(ada)
    await react(ada, post_id, "love")
    HOSTS[id(environment)].stop()
    set_patience(monkeypatch, 0.5)
    refused = await ada.put(f"/posts/{post_id}/reaction", json={"kind": "like"})
    assert (refused.status_code, refused.json()["code"]) == (503, "reaction_not_stored")
    for path in (f"/posts/{post_id}", "/profiles/ada/posts"):
        answer = (await ada.get(path)).json()
        assert answer.get("items", [answer])[0]["reactions"] == shown("love", love=1)
    async with environment.platform.database.unit_of_work(read_only=True) as uow:
        counters, target = environment.platform.service(CounterService), Target(TargetKind.POST, UUID(post_id))
        assert await counters.read(uow, [target], UUID(ada.id)) == [Counted({"love": 1}, "love")]
