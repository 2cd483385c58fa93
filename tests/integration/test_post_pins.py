"""Posts pinned to a profile over HTTP."""

import asyncio
from datetime import timedelta
from typing import Any

from features.posts.model import Audience
from features.posts.policy import PostPolicy
from tests.integration.test_privacy_posts import Scenario, environment, scenario
from tests.support.environment import Environment
from tests.support.member import Member

__all__ = ["environment", "scenario"]


async def _publish(environment: Environment, author: Member, text: str, **more: Any) -> str:
    environment.clock.advance(timedelta(seconds=1))
    answer = await author.post("/posts", json={"text": text, **more})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def _pages(reader: Member, limit: int) -> list[tuple[str, bool]]:
    listed: list[tuple[str, bool]] = []
    parameters: dict[str, Any] = {"limit": limit}
    while True:
        page = (await reader.get("/profiles/ada/posts", params=parameters)).json()
        listed += [(item["text"], item["pinned"]) for item in page["items"]]
        if page["next_cursor"] is None:
            return listed
        parameters["cursor"] = page["next_cursor"]


async def test_pinned_posts_are_first_on_the_profile_on_pages_of_any_size(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    posts = [await _publish(entativa, ada, str(number)) for number in range(6)]
    for number in (1, 4):
        entativa.clock.advance(timedelta(seconds=1))
        pinned = await ada.put(f"/posts/{posts[number]}/pin")
        assert (pinned.status_code, pinned.json()["pinned"]) == (200, True)
        assert pinned.json() == (await ada.get(f"/posts/{posts[number]}")).json()
    again = await ada.put(f"/posts/{posts[1]}/pin")  # stays where it is
    assert again.status_code == 200
    expected = [("4", True), ("1", True), ("5", False), ("3", False), ("2", False), ("0", False)]
    for limit in (1, 2, 3, 50):
        assert await _pages(entativa.anonymous, limit) == expected
    feed = (await ada.get("/feed")).json()["items"]
    assert [item["text"] for item in feed] == ["5", "4", "3", "2", "1", "0"]
    for _ in range(2):
        assert (await ada.delete(f"/posts/{posts[4]}/pin")).status_code == 204
    assert await _pages(ada, 50) == [("1", True), ("5", False), ("4", False), ("3", False), ("2", False), ("0", False)]
    assert (await ada.delete(f"/posts/{posts[1]}")).status_code == 204
    assert {pinned for _, pinned in await _pages(ada, 50)} == {False}


async def test_a_profile_has_so_many_pinned_posts_also_of_requests_at_once(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    posts = [await _publish(entativa, ada, str(number)) for number in range(PostPolicy().max_pinned + 3)]
    answers = await asyncio.gather(*(ada.put(f"/posts/{post}/pin") for post in posts))
    assert sorted(answer.status_code for answer in answers) == [200] * PostPolicy().max_pinned + [409] * 3
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"too_many_pinned"}
    assert sum(pinned for _, pinned in await _pages(ada, 50)) == PostPolicy().max_pinned


async def test_a_pin_shows_the_post_to_nobody_else(scenario: Scenario) -> None:
    async def listed(reader: Member, audience: Audience) -> bool:
        answer = await reader.get("/profiles/self/posts")
        return answer.status_code == 200 and await scenario.listed(answer, audience)

    audiences = list(Audience)
    for pinned in (audiences[:3], audiences[2:]):
        for audience in pinned:
            assert (await scenario.author.put(f"/posts/{scenario.posts[audience]}/pin")).status_code == 200
        table = await scenario.table(listed)
        assert table["seen"] == table["specified"]
        for audience in pinned:
            assert (await scenario.author.delete(f"/posts/{scenario.posts[audience]}/pin")).status_code == 204


async def test_only_the_author_pins(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    public = await _publish(entativa, ada, "x")
    private = await _publish(entativa, ada, "x", audience="only_me")
    for reader, post, status in ((bob, public, 403), (bob, private, 404), (entativa.anonymous, public, 401)):
        assert (await reader.put(f"/posts/{post}/pin")).status_code == status
        assert (await reader.delete(f"/posts/{post}/pin")).status_code == status
