"""Links to posts over HTTP: they show a post to those who may see it, and nothing to others."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from features.posts.model import Audience
from features.posts.privacy import may_see
from features.share_links.policy import ShareLinkPolicy
from tests.integration.test_privacy_posts import RELATIONS, UNKNOWN, Scenario, environment, scenario
from tests.support.environment import PASSWORD, Environment
from tests.support.member import Member

__all__ = ["environment", "scenario"]


async def _post(author: Member, **more: Any) -> str:
    answer = await author.post("/posts", json={"text": "Hi", **more})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def _link(maker: Member, post_id: str, **body: Any) -> dict[str, Any]:
    answer = await maker.post(f"/posts/{post_id}/share-links", json=body)
    assert answer.status_code == 201, answer.text
    link: dict[str, Any] = answer.json()
    assert answer.headers["Location"] == f"/v1/share-links/{link['id']}"
    return link


async def _shows(reader: Member, link: dict[str, Any]) -> bool:
    answer = await reader.get(link["path"])
    assert answer.status_code == 200 or (answer.status_code, answer.json()["code"]) == (404, "no_shared_post")
    return answer.status_code == 200


async def test_a_link_shows_its_post_until_it_is_revoked(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    post = await _post(ada)
    link = await _link(bob, post)
    assert (await bob.get(f"/share-links/{link['id']}")).json() == link
    for reader in (entativa.anonymous, ada, bob):
        assert (await reader.get(link["path"])).json() == (await reader.get(f"/posts/{post}")).json()
    entativa.clock.advance(timedelta(seconds=1))
    other, own = await _link(ada, post, expires_in_s=60), await _link(bob, await _post(bob))
    assert (await bob.get("/share-links")).json()["items"] == [own, link]
    assert (await bob.get(f"/share-links?post_id={post}")).json()["items"] == [link]
    first = (await bob.get("/share-links?limit=1")).json()
    assert (await bob.get(f"/share-links?cursor={first['next_cursor']}")).json()["items"] == [link]
    for method in ("GET", "DELETE"):
        assert (await ada.request(method, f"/share-links/{link['id']}")).json()["code"] == "no_such_share_link"
        assert (await entativa.anonymous.request(method, f"/share-links/{link['id']}")).status_code == 401
    assert (await bob.delete(f"/share-links/{link['id']}")).status_code == 204
    assert not await _shows(ada, link)
    assert await _shows(entativa.anonymous, other)
    entativa.clock.advance(timedelta(seconds=60))
    assert not await _shows(entativa.anonymous, other)
    assert (await ada.get("/share-links")).json()["items"] == []


async def test_a_link_is_not_guessed(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    link = await _link(ada, await _post(ada))
    for path in (f"{link['path']}A", link["path"][:-1], "/shared/x", f"/shared/{link['id']}", f"/shared/{'A' * 56}"):
        answer = await entativa.anonymous.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "no_shared_post"), path


async def test_a_link_honours_the_audience_of_its_post(scenario: Scenario) -> None:
    """Whoever sees a post may make a link to it; it shows the post to those who see it, by its present audience."""
    links: dict[Audience, dict[str, Any]] = {}
    for relation, stands in RELATIONS.items():
        maker = scenario.readers[relation]
        for audience, post_id in scenario.posts.items():
            made = await maker.post(f"/posts/{post_id}/share-links", json={})
            unknown = await maker.post(f"/posts/{UNKNOWN}/share-links", json={})
            expected = 401 if relation == "anonymous" else 201 if may_see(stands, audience) else 404
            assert made.status_code == expected, (relation, audience)
            if expected == 404:
                assert made.json()["code"] == unknown.json()["code"] == "no_such_post"
            elif relation == "self":
                links[audience] = made.json()
    for relation, stands in RELATIONS.items():
        for audience, link in links.items():
            assert await _shows(scenario.readers[relation], link) == may_see(stands, audience), (relation, audience)
    link = links[Audience.ONLY_ME]
    for audience, shown in ((Audience.PUBLIC, True), (Audience.CONNECTIONS, False)):
        change = await scenario.author.patch(f"/posts/{scenario.posts[Audience.ONLY_ME]}", json={"audience": audience})
        assert change.is_success
        assert await _shows(scenario.environment.anonymous, link) == shown


async def test_a_link_works_while_its_maker_may_see_the_post(entativa: Environment) -> None:
    ada, bob, eve = [await entativa.member(name) for name in ("ada", "bob", "eve")]
    post = await _post(ada)
    link = await _link(bob, post)
    assert (await eve.put("/blocks/bob")).is_success
    assert await _shows(eve, link), "it says nothing about who made it"
    assert (await ada.put("/blocks/bob")).is_success
    assert not await _shows(eve, link)
    assert not await _shows(bob, link)
    assert (await ada.delete("/blocks/bob")).is_success
    assert await _shows(entativa.anonymous, link)
    for member in (ada, bob):
        assert (await member.post("/account/deactivate", json={"password": PASSWORD})).is_success
        assert not await _shows(entativa.anonymous, link)
        await entativa.log_in(member.username)
        assert await _shows(entativa.anonymous, link)
    ada = await entativa.log_in("ada")
    assert (await ada.delete(f"/posts/{post}")).status_code == 204
    assert not await _shows(eve, link)
    await entativa.drain()
    assert await entativa.platform.database.pool.fetchval("select count(*) from share_links") == 0


async def test_bad_lifetimes_and_too_many_links(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    post = await _post(ada)
    for seconds in (-1, 0, 59, 366 * 86_400 + 1, 10**12, "soon"):
        answer = await ada.post(f"/posts/{post}/share-links", json={"expires_in_s": seconds})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "expires_in_s"), seconds
    insert = """insert into share_links (id, account_id, post_id, created_at, expires_at)
        select gen_random_uuid(), $1, $2, $3, $4 from generate_series(2, $5)"""
    now, most = entativa.clock(), ShareLinkPolicy().max_links
    pool = entativa.platform.database.pool
    await pool.execute(insert, UUID(ada.id), UUID(post), now, now + timedelta(hours=1), most)
    answers = await asyncio.gather(*(ada.post(f"/posts/{post}/share-links", json={}) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"too_many_share_links"}


@pytest.mark.parametrize("times", [1, 2])
async def test_a_repeated_request_makes_one_link(entativa: Environment, times: int) -> None:
    ada = await entativa.member("ada")
    post = await _post(ada)
    headers = {"Idempotency-Key": "a-link-to-my-post"}
    made = [await ada.post(f"/posts/{post}/share-links", json={}, headers=headers) for _ in range(times)]
    assert len({answer.json()["id"] for answer in made}) == 1
    assert len((await ada.get("/share-links")).json()["items"]) == 1
