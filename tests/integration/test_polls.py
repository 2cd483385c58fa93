"""Polls over HTTP: voting, results, and that nobody learns how somebody voted."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from features.life_cycle import export_account
from features.posts.errors import AlreadyVoted
from features.posts.model import Audience
from features.posts.privacy import may_see
from features.posts.service import PostService
from tests.integration.test_privacy_posts import RELATIONS, Scenario, environment, scenario
from tests.support.environment import Environment
from tests.support.member import Member
from tests.support.people import add_people

__all__ = ["environment", "scenario"]

POLL: dict[str, Any] = {"options": ["By train", "By boat", "On foot"], "duration_s": 86_400}


async def _publish(author: Member, poll: dict[str, Any] = POLL, **more: Any) -> dict[str, Any]:
    answer = await author.post("/posts", json={"text": "How do we go? #trip", "poll": poll, **more})
    assert answer.status_code == 201, answer.text
    post: dict[str, Any] = answer.json()
    return post


async def _vote(voter: Member, post: dict[str, Any], *choices: int) -> dict[str, Any]:
    answer = await voter.put(f"/posts/{post['id']}/poll/vote", json={"choices": choices})
    assert answer.status_code == 200, answer.text
    poll: dict[str, Any] = answer.json()
    return poll


def _votes(poll: dict[str, Any]) -> list[int | None]:
    return [option["votes"] for option in poll["options"]]


async def _poll(reader: Member, post: dict[str, Any]) -> dict[str, Any]:
    """The poll as the reader sees it, the same wherever the post is."""
    found = (await reader.get(f"/posts/{post['id']}")).json()
    for path in ("/profiles/ada/posts", "/hashtags/trip/posts"):
        assert found in (await reader.get(path)).json()["items"]
    poll: dict[str, Any] = found["poll"]
    return poll


async def test_results_are_for_those_who_voted_and_later_for_all(entativa: Environment) -> None:
    ada, *voters = [await entativa.member(name) for name in ("ada", "bob", "eve", "joe")]
    post = await _publish(ada)
    hidden = {
        "options": [{"text": text, "votes": None} for text in POLL["options"]],
        "multiple": False,
        "closes_at": post["poll"]["closes_at"],
        "closed": False,
        "voters": None,
        "own_choices": None,
    }
    assert post["poll"] == hidden
    assert await _poll(entativa.anonymous, post) == hidden
    for voter, choice in zip(voters, (0, 1, 1), strict=True):
        assert await _vote(voter, post, choice) == {**hidden, "own_choices": [choice]}
    await entativa.drain()
    seen = await _poll(voters[0], post)
    assert (_votes(seen), seen["voters"], seen["own_choices"]) == ([1, 2, 0], 3, [0])
    assert await _poll(ada, post) == hidden, "an author who has not voted is like anybody"
    await _vote(ada, post, 2)
    await entativa.drain()
    assert _votes(await _poll(voters[0], post)) == [1, 2, 0], "one vote more would tell whose it is"

    entativa.clock.advance(timedelta(days=1))
    for reader in (entativa.anonymous, await entativa.log_in("bob")):
        final = await _poll(reader, post)
        assert (_votes(final), final["voters"], final["closed"]) == ([1, 2, 1], 4, True)
    eve = await entativa.log_in("eve")
    assert (await _vote(eve, post, 1))["own_choices"] == [1]
    joe = await entativa.member("max")
    late = await joe.put(f"/posts/{post['id']}/poll/vote", json={"choices": [0]})
    assert (late.status_code, late.json()["code"]) == (409, "poll_closed")


async def test_a_vote_is_one_and_final(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    post = await _publish(ada)
    for _ in range(2):
        await _vote(bob, post, 1)
    other = await bob.put(f"/posts/{post['id']}/poll/vote", json={"choices": [0]})
    assert (other.status_code, other.json()["code"]) == (409, "already_voted")
    assert (await _poll(bob, post))["own_choices"] == [1]
    several = await _publish(ada, {**POLL, "multiple": True})
    assert (await _vote(bob, several, 2, 0))["own_choices"] == [0, 2]


async def test_an_edit_keeps_the_poll(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    post = await _publish(ada)
    await _vote(ada, post, 1)
    edited = (await ada.patch(f"/posts/{post['id']}", json={"text": "How shall we go? #trip"})).json()
    assert edited["poll"] == {**post["poll"], "own_choices": [1]}
    assert edited == (await ada.get(f"/posts/{post['id']}")).json()


UNFIT: list[tuple[Any, str]] = [
    ("x", "poll"),
    ({}, "poll.options"),
    ({"options": ["a"]}, "poll.options"),
    ({"options": ["a", "b", "c", "d", "e"]}, "poll.options"),
    ({"options": ["a", "A "]}, "poll.options"),
    ({"options": ["a", " "]}, "poll.options.1"),
    ({"options": ["a", 5]}, "poll.options.1"),
    ({"options": ["a", "b\u0000"]}, "poll.options"),
    ({"options": ["a", "b" * 101]}, "poll.options.1"),
    ({"options": ["a", "b"], "duration_s": 299}, "poll.duration_s"),
    ({"options": ["a", "b"], "duration_s": 10**9}, "poll.duration_s"),
    ({"options": ["a", "b"], "multiple": "maybe"}, "poll.multiple"),
    ({"options": ["a", "b"], "colour": 1}, "poll.colour"),
]


async def test_bad_polls_and_votes_name_the_field(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    for body, field in UNFIT:
        poll = {"duration_s": 3_600, **body} if isinstance(body, dict) else body
        answer = await ada.post("/posts", json={"text": "x", "poll": poll})
        assert answer.status_code == 422, body
        assert field in {error["field"] for error in answer.json()["errors"]}, answer.text
    post = await _publish(ada)
    for choices in ([], [3], [-1], [0, 1], [0, 0], "x", [10**30], None):
        answer = await ada.put(f"/posts/{post['id']}/poll/vote", json={"choices": choices})
        assert answer.status_code == 422, choices
        assert answer.json()["errors"][0]["field"].startswith("choices")
    plain = (await ada.post("/posts", json={"text": "x"})).json()
    answer = await ada.put(f"/posts/{plain['id']}/poll/vote", json={"choices": [0]})
    assert (answer.status_code, answer.json()["code"]) == (404, "no_poll")


async def test_who_may_see_a_post_may_vote(scenario: Scenario) -> None:
    posts = {}
    for audience in Audience:
        list_id = scenario.list_id if audience is Audience.LIST else None
        posts[audience] = await _publish(scenario.author, audience=audience, list_id=list_id)
    for relation, stands in RELATIONS.items():
        for audience, post in posts.items():
            path = f"/posts/{post['id']}/poll/vote"
            answer = await scenario.readers[relation].put(path, json={"choices": [0]})
            expected = 401 if relation == "anonymous" else 200 if may_see(stands, audience) else 404
            assert answer.status_code == expected, (relation, audience)


@pytest.mark.parametrize("voters", [1, 2])
async def test_everything_the_author_can_read_is_the_same_however_somebody_voted(
    entativa: Environment, voters: int
) -> None:
    """Two polls alike, the votes different: what the author gets of them differs in nothing but ids."""
    ada = await entativa.member("ada")
    people = [await entativa.member(name) for name in ("bob", "eve")[:voters]]
    posts = [await _publish(ada), await _publish(ada)]
    for choice, post in enumerate(posts):
        for person in people:
            await _vote(person, post, choice)
    published = await entativa.platform.database.pool.fetch("select * from outbox where type = 'posts.poll_voted'")
    events = [{**row["payload"], "post_id": ""} for row in published if row["key"] == posts[0]["id"]]
    assert events == [{"post_id": ""}] * voters
    assert not any(person.id in str(dict(row)) for row in published for person in people)
    await entativa.drain()
    for after in (timedelta(), timedelta(days=1)):
        entativa.clock.advance(after)
        ada = await entativa.log_in("ada")
        one, other = [await _poll(ada, post) for post in posts]
        assert one == other
    async with entativa.platform.database.unit_of_work() as uow:
        rows = [row async for row in export_account(uow, entativa.brand.features, UUID(ada.id))]
    exported = orjson.dumps(rows, default=str).decode()
    of_one, of_other = [exported.count(post["id"]) for post in posts]
    assert of_one == of_other > 0
    assert "poll_votes" not in {name for name, _ in rows}
    assert not any(person.id in exported for person in people)
    counts = [row for name, row in rows if name == "poll_counts"]
    assert all(set(row) == {"post_id"} for row in counts)


async def test_an_erased_voter_stays_counted_and_is_nobody(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    post = await _publish(ada)
    await _vote(bob, post, 1)
    async with entativa.platform.database.unit_of_work() as uow:
        rows = [row async for row in export_account(uow, entativa.brand.features, UUID(bob.id))]
    own = [row for name, row in rows if name == "poll_votes"]
    assert [(str(row["post_id"]), row["choices"]) for row in own] == [(post["id"], [1])]
    posts = next(feature for feature in entativa.brand.features if feature.name == "posts")
    assert posts.erase is not None
    async with entativa.platform.database.unit_of_work() as uow:
        assert await posts.erase(uow, UUID(bob.id), 1, entativa.clock())
        assert not await posts.erase(uow, UUID(bob.id), 1, entativa.clock())
        await uow.commit()
    votes = await entativa.platform.database.pool.fetch("select voter_id, choices from poll_votes")
    assert [(row["voter_id"], row["choices"]) for row in votes] == [(None, [1])]


async def test_many_vote_at_once_and_each_counts_once(entativa: Environment) -> None:
    """Each of 40 people votes twice at once, for different options, in each of 6 polls, while votes are counted."""
    ada = await entativa.member("ada")
    posts = [UUID((await _publish(ada))["id"]) for _ in range(6)]
    await add_people(entativa, 40)
    database = entativa.platform.database
    voters = [row["id"] for row in await database.pool.fetch("select id from accounts where email like 'person%'")]
    polls = entativa.platform.service(PostService).polls
    accepted = {post: [0, 0, 0] for post in posts}
    many = asyncio.Semaphore(4)  # fewer than there are connections: counting needs some

    async def vote(post: UUID, voter: UUID, choice: int) -> None:
        async with many, database.unit_of_work() as uow:
            try:
                await polls.vote(uow, post, voter, [choice], entativa.clock())
                await uow.commit()
            except AlreadyVoted:
                return
            accepted[post][choice] += 1

    voting = True

    async def count() -> None:
        while voting:
            await entativa.drain()
            await asyncio.sleep(0.05)

    counting = asyncio.create_task(count())
    await asyncio.gather(
        *(
            vote(post, voter, (number + turn) % 3)
            for number, voter in enumerate(voters)
            for post in posts
            for turn in range(2)
        )
    )
    voting = False
    await counting
    assert all(sum(choices) == 40 for choices in accepted.values())
    await entativa.drain()
    rows = await database.pool.fetch("select post_id, count(*) as votes from poll_votes group by post_id")
    assert {row["post_id"]: row["votes"] for row in rows} == dict.fromkeys(posts, 40)
    entativa.clock.advance(timedelta(days=1))
    for post, choices in accepted.items():
        poll = (await entativa.anonymous.get(f"/posts/{post}")).json()["poll"]
        assert (_votes(poll), poll["voters"]) == (choices, 40)
