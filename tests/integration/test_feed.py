"""The newest-first feed over HTTP."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from features.paging import Cursor
from tests.support.environment import Environment
from tests.support.member import Member


@pytest.fixture(params=["entativa", "vignette"])
def environment(request: pytest.FixtureRequest) -> Environment:
    environment: Environment = request.getfixturevalue(request.param)
    return environment


async def _tie(environment: Environment, viewer: Member, *owners: Member) -> None:
    """Bring the viewer into the owners' audiences, the way the brand does it."""
    for owner in owners:
        if "follows" in environment.brand.feature_names:
            assert (await viewer.put(f"/follows/{owner.username}")).is_success
        else:
            assert (await viewer.post("/friends/requests", json={"username": owner.username})).is_success
            assert (await owner.post("/friends/requests", json={"username": viewer.username})).is_success


async def _publish(environment: Environment, author: Member, text: str, **more: Any) -> str:
    environment.clock.advance(timedelta(milliseconds=7))
    answer = await author.post("/posts", json={"text": text, **more})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def _texts(reader: Member, **parameters: Any) -> list[str]:
    answer = await reader.get("/feed", params=parameters)
    assert answer.status_code == 200, answer.text
    return [item["text"] for item in answer.json()["items"]]


async def test_newest_first_own_and_ties_in_pages_that_shift_nothing(environment: Environment) -> None:
    ada, bob, eve, mallory = [await environment.member(name) for name in ("ada", "bob", "eve", "mallory")]
    await _tie(environment, ada, bob, eve)
    for number in range(9):
        await _publish(environment, (ada, bob, eve)[number % 3], f"{number}")
    await _publish(environment, mallory, "of a stranger")

    page = (await ada.get("/feed", params={"limit": 4})).json()
    texts = [item["text"] for item in page["items"]]
    await _publish(environment, bob, "meanwhile")
    while page["next_cursor"]:
        page = (await ada.get("/feed", params={"limit": 4, "cursor": page["next_cursor"]})).json()
        texts += [item["text"] for item in page["items"]]
    assert texts == [str(number) for number in reversed(range(9))]
    assert (await _texts(ada))[0] == "meanwhile"


async def test_posts_of_one_moment_are_each_shown_once(vignette: Environment) -> None:
    ada = await vignette.member("ada")
    for number in range(7):
        assert (await ada.post("/posts", json={"text": str(number)})).status_code == 201
    seen: list[str] = []
    parameters: dict[str, Any] = {"limit": 2}
    while True:
        page = (await ada.get("/feed", params=parameters)).json()
        seen += [item["text"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        parameters["cursor"] = page["next_cursor"]
    assert sorted(seen) == [str(number) for number in range(7)]


async def test_a_feed_takes_at_most_three_statements(vignette: Environment) -> None:
    ada, bob, eve = [await vignette.member(name) for name in ("ada", "bob", "eve")]
    await _tie(vignette, ada, bob, eve)
    for number in range(6):
        await _publish(vignette, (bob, eve)[number % 2], f"{number} @ada @bob #tag")
    plain, known = await ada.get("/feed"), await ada.get("/feed")
    assert len(plain.json()["items"]) == 6
    assert vignette.statements(plain) <= 3
    assert vignette.statements(known) == 2


async def test_the_muted_are_left_out_until_unmuted(environment: Environment) -> None:
    ada, bob = await environment.member("ada"), await environment.member("bob")
    await _tie(environment, ada, bob)
    post = await _publish(environment, bob, "of bob")
    assert (await ada.put("/mutes/bob")).is_success
    assert await _texts(ada) == []
    assert (await ada.get(f"/posts/{post}")).status_code == 200
    assert (await ada.delete("/mutes/bob")).is_success
    assert await _texts(ada) == ["of bob"]


async def test_an_ended_tie_and_a_block_empty_the_feed(environment: Environment) -> None:
    ada, bob, eve = [await environment.member(name) for name in ("ada", "bob", "eve")]
    await _tie(environment, ada, bob, eve)
    await _publish(environment, bob, "of bob")
    await _publish(environment, eve, "of eve")
    ended = "/follows/bob" if "follows" in environment.brand.feature_names else "/friends/bob"
    assert (await ada.delete(ended)).is_success
    assert await _texts(ada) == ["of eve"]
    assert (await eve.put("/blocks/ada")).is_success
    assert await _texts(ada) == []


async def test_a_tie_in_one_direction_shows_in_one_feed(vignette: Environment) -> None:
    ada, bob = await vignette.member("ada"), await vignette.member("bob")
    await _tie(vignette, ada, bob)
    await _publish(vignette, ada, "of ada")
    await _publish(vignette, bob, "of bob", audience="connections")
    assert await _texts(ada) == ["of bob", "of ada"]
    assert await _texts(bob) == ["of bob"]


async def test_many_authors_of_uneven_habits(vignette: Environment) -> None:
    """One who writes a lot, some who write little, and posts that may not be seen in between."""
    ada = await vignette.member("ada")
    authors = [await vignette.member(f"author{number}") for number in range(4)]
    await _tie(vignette, ada, *authors)
    expected: list[str] = []
    for number in range(40):
        author = authors[0] if number % 4 else authors[1 + number % 3]
        audience = "only_me" if number % 5 == 0 else "connections" if number % 2 else "public"
        await _publish(vignette, author, str(number), audience=audience)
        if audience != "only_me":
            expected.insert(0, str(number))
    for limit in (1, 3, 20, 100):
        assert await _texts(ada, limit=limit) == expected[:limit]


async def test_a_cursor_nobody_handed_out(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    for cursor in ("x", "AAYk5iQ2QAABjxk3nQJ7_IyR1xCGc2q", "=" * 32, "____" * 8, "é" * 32):
        answer = await ada.get("/feed", params={"cursor": cursor})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "cursor"), cursor


async def test_the_short_way_answers_like_the_long_one(entativa: Environment) -> None:
    """Plain requests bypass FastAPI (api/feed.py); an unknown query parameter prevents that."""
    ada = await entativa.member("ada")
    for number in range(5):
        await _publish(entativa, ada, str(number))
    cursor = (await ada.get("/feed", params={"limit": 2})).json()["next_cursor"]
    plain: list[dict[str, Any]] = [{}, {"limit": 3}, {"limit": 2, "cursor": cursor}, {"cursor": ""}, {"cursor": "x"}]
    plain += [{"limit": limit} for limit in ("0", "101", "-1", "1.0", "x", "", "٣", "0100", "0100999", "9" * 5000)]
    for parameters in plain:
        short = await ada.get("/feed", params=parameters)
        long = await ada.get("/feed", params=parameters | {"long": "way"})
        assert short.status_code == long.status_code, parameters
        assert {**short.json(), "trace_id": ""} == {**long.json(), "trace_id": ""}, parameters
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic x"}, {"Authorization": "bearer"}):
        assert (await entativa.anonymous.get("/feed", headers=headers)).status_code == 401


async def test_past_the_end_there_is_nothing(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    post = await ada.post("/posts", json={"text": "x"})
    start = Cursor(entativa.clock() - timedelta(days=1), UUID(post.json()["id"]))
    assert await _texts(ada, cursor=start.encode()) == []
