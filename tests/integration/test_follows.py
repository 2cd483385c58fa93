"""Follows over HTTP: immediate, within limits, in lists that honour blocks."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from features.errors import LimitReached, RateLimited
from features.follows.policy import FollowPolicy
from features.follows.service import FollowService
from features.relationships.store import COUNT_SHARDS
from tests.support.environment import Environment
from tests.support.member import Member
from tests.support.people import add_people, wrong_counts


async def usernames(member: Member, path: str, **params: Any) -> list[str]:
    found = await member.get(path, params=params)
    assert found.status_code == 200, found.text
    return [item["person"]["username"] for item in found.json()["items"]]


async def events(environment: Environment) -> list[tuple[str, dict[str, Any]]]:
    """What happened since the event log was drained."""
    rows = await environment.platform.database.pool.fetch("select type, payload from outbox order by id")
    return [(row["type"], row["payload"]) for row in rows]


async def counts(member: Member) -> tuple[int, int]:
    """Followers and followed."""
    found = (await member.get("/profiles/me")).json()["counts"]
    return found["followers"], found["following"]


async def test_a_follow_holds_at_once_and_once(vignette: Environment) -> None:
    ada, bob = await vignette.member("ada"), await vignette.member("bob")
    await vignette.drain()
    for _ in range(2):
        assert (await ada.put("/follows/Bob")).json()["following"] is True
    assert await usernames(ada, "/profiles/bob/followers") == ["ada"]
    assert await usernames(ada, "/profiles/ada/following") == ["bob"]
    assert await usernames(ada, "/profiles/ada/followers") == []
    assert (await counts(ada), await counts(bob)) == ((0, 1), (1, 0))
    assert await events(vignette) == [
        ("relationships.connected", {"owner_id": bob.id, "viewer_id": ada.id}),
        ("follows.followed", {"follower_id": ada.id, "followed_id": bob.id}),
    ]


async def test_a_follow_ends(vignette: Environment) -> None:
    ada, bob = await vignette.member("ada"), await vignette.member("bob")
    await ada.put("/follows/bob")
    await bob.put("/follows/ada")
    await vignette.drain()
    for _ in range(2):
        assert (await ada.delete("/follows/bob")).status_code == 204
    assert (await counts(ada), await counts(bob)) == ((1, 0), (0, 1))
    assert await events(vignette) == [
        ("relationships.disconnected", {"owner_id": bob.id, "viewer_id": ada.id}),
        ("follows.unfollowed", {"follower_id": ada.id, "followed_id": bob.id}),
    ]


async def test_a_follower_is_removed(vignette: Environment) -> None:
    ada, bob = await vignette.member("ada"), await vignette.member("bob")
    await ada.put("/follows/bob")
    await bob.put("/close-friends/ada")
    for _ in range(2):
        assert (await bob.delete("/followers/ada")).status_code == 204
    assert (await counts(ada), await counts(bob)) == ((0, 0), (0, 0))
    assert await usernames(bob, "/close-friends") == []
    assert (await ada.put("/follows/bob")).status_code == 200, "a removed follower may follow again"


async def test_nobody_follows_herself(vignette: Environment) -> None:
    ada = await vignette.member("ada")
    refused = await ada.put("/follows/ada")
    assert (refused.status_code, refused.json()["code"]) == (422, "yourself")


async def test_following_each_other_at_the_same_moment(vignette: Environment) -> None:
    members = [await vignette.member(name) for name in ("ada", "bob", "carol")]
    pairs = [(one, other.username) for one in members for other in members if one is not other]
    for method, expected in (("PUT", (2, 2)), ("DELETE", (0, 0))):
        answers = await asyncio.gather(*(one.request(method, f"/follows/{other}") for one, other in pairs * 2))
        assert all(answer.is_success for answer in answers)
        assert [await counts(member) for member in members] == [expected] * 3


async def test_people_who_act_on_one_account_do_not_wait_for_each_other(vignette: Environment) -> None:
    """A follow that is not committed yet holds up nobody else."""
    star, ada = await vignette.member("star"), await vignette.member("ada")
    await ada.put("/follows/star")
    follows, database = vignette.platform.service(FollowService), vignette.platform.database
    await add_people(vignette, COUNT_SHARDS + 1, "fan")
    rows = await database.pool.fetch("select account_id from profiles where username like 'fan%'")
    fans = [row["account_id"] for row in rows]
    first = next(fan for fan in fans if fan.int % COUNT_SHARDS != UUID(ada.id).int % COUNT_SHARDS)
    async with database.unit_of_work() as uow:
        await follows.follow(uow, first, "star", vignette.clock())
        for path in ("/mutes/star", "/close-friends/star", "/blocks/star"):
            assert (await ada.put(path)).is_success
        assert (await star.post("/lists", json={"name": "Climbing"})).status_code == 201
        await uow.commit()
    assert await counts(star) == (1, 0)

    for fan in fans:
        async with database.unit_of_work() as uow:
            await follows.follow(uow, fan, "star", vignette.clock())
            await uow.commit()
    assert (await counts(star), await wrong_counts(vignette)) == ((COUNT_SHARDS + 1, 0), 0)


async def test_counts_stay_right_whatever_happens_at_once(vignette: Environment) -> None:
    members = [await vignette.member(f"member{number}") for number in range(4)]
    pairs = [(one, other.username) for one in members for other in members if one is not other]
    for method, path in (("PUT", "/follows/"), ("DELETE", "/follows/"), ("PUT", "/follows/"), ("PUT", "/blocks/")):
        requests = [one.request(method, path + username) for one, username in pairs]
        removals = [one.delete(f"/followers/{username}") for one, username in pairs[::2]]
        answers = await asyncio.gather(*requests, *removals)
        assert {answer.status_code for answer in answers} <= {200, 204, 404}
        assert await wrong_counts(vignette) == 0, (method, path)


async def test_who_sees_followers(vignette: Environment) -> None:
    """Every relation to Ada: her lists, without whom a block hides from the reader, or nothing at all."""
    names = ("ada", "fan", "friend_of_fan", "stranger", "blocker", "blocked", "foe")
    people = {name: await vignette.member(name) for name in names}
    for follower, followed in [
        ("fan", "ada"),
        ("foe", "ada"),
        ("ada", "foe"),
        ("ada", "fan"),
        ("friend_of_fan", "fan"),
    ]:
        assert (await people[follower].put(f"/follows/{followed}")).status_code == 200
    await people["blocker"].put("/blocks/ada")
    await people["ada"].put("/blocks/blocked")
    await people["stranger"].put("/blocks/foe")
    await people["foe"].put("/blocks/friend_of_fan")
    expected = {
        "ada": {"fan", "foe"},
        "fan": {"fan", "foe"},
        "foe": {"fan", "foe"},
        "stranger": {"fan"},
        "friend_of_fan": {"fan"},
        "blocker": None,
        "blocked": None,
    }
    for path in ("/profiles/ada/followers", "/profiles/ada/following"):
        for name, seen in expected.items():
            if seen is None:
                assert (await people[name].get(path)).status_code == 404, name
            else:
                assert set(await usernames(people[name], path)) == seen, (name, path)
        assert (await vignette.anonymous.get(path)).status_code == 401


async def test_pages_of_followers(vignette: Environment) -> None:
    """Everybody once, newest first, in three statements a page."""
    ada, bob = await vignette.member("ada"), await vignette.member("bob")
    names = await add_people(vignette, 7)
    for name in names:
        vignette.clock.advance(timedelta(seconds=1))
        await ada.put(f"/follows/{name}")
    seen: list[str] = []
    params: dict[str, Any] = {"limit": 3}
    await bob.get("/profiles/me")  # the first request of a session may look it up in Postgres
    while True:
        answer = await bob.get("/profiles/ada/following", params=params)
        assert vignette.statements(answer) == 3
        seen += [item["person"]["username"] for item in answer.json()["items"]]
        if answer.json()["next_cursor"] is None:
            break
        params["cursor"] = answer.json()["next_cursor"]
    assert seen == names[::-1]


async def test_a_brand_sets_how_many_one_can_follow(vignette: Environment) -> None:
    ada = await vignette.member("ada")
    names = await add_people(vignette, 3)
    follows = replace(vignette.platform.service(FollowService), policy=FollowPolicy(max_following=2, max_per_day=100))
    database, me = vignette.platform.database, UUID(ada.id)

    async def follow(name: str) -> str:
        async with database.unit_of_work() as uow:
            try:
                await follows.follow(uow, me, name, vignette.clock())
            except LimitReached as refusal:
                return refusal.code
            await uow.commit()
        return "followed"

    outcomes = await asyncio.gather(*(follow(name) for name in names))
    assert sorted(outcomes) == ["followed", "followed", "too_many_followed"]
    assert await counts(ada) == (0, 2)


async def test_a_day_has_so_many_follows_even_taken_back(vignette: Environment) -> None:
    ada = await vignette.member("ada")
    names = await add_people(vignette, 3)
    follows = replace(vignette.platform.service(FollowService), policy=FollowPolicy(max_per_day=2))
    now, me = vignette.clock().replace(hour=23, minute=0, second=0, microsecond=0), UUID(ada.id)
    async with vignette.platform.database.unit_of_work() as uow:
        await follows.follow(uow, me, names[0], now)
        await follows.unfollow(uow, me, names[0], now)
        await follows.follow(uow, me, names[1], now)
        await follows.follow(uow, me, names[1], now)
        with pytest.raises(RateLimited) as refusal:
            await follows.follow(uow, me, names[2], now)
        assert refusal.value.retry_after_s == 3601
        await follows.follow(uow, me, names[2], now + timedelta(seconds=3600))
