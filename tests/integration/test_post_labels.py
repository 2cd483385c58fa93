"""Content warnings and places of posts over HTTP."""

from datetime import timedelta
from typing import Any

import pytest

from tests.support.environment import Environment
from tests.support.member import Member

LISBON = {"name": "  Lisbon ", "latitude": 38.7222523, "longitude": -9.1393366}


async def _publish(author: Member, **body: Any) -> dict[str, Any]:
    answer = await author.post("/posts", json={"text": "Hi #lisbon", **body})
    assert answer.status_code == 201, answer.text
    post: dict[str, Any] = answer.json()
    return post


async def test_a_warning_and_a_place_are_shown_wherever_the_post_is(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    post = await _publish(ada, content_warning=" Spoilers ", place=LISBON)
    assert post["content_warning"] == "Spoilers"
    assert post["place"] == {"name": "Lisbon", "latitude": 38.722, "longitude": -9.139}
    for path in ("/feed", "/profiles/ada/posts", "/hashtags/lisbon/posts"):
        assert (await ada.get(path)).json()["items"] == [post]
    assert (await entativa.anonymous.get(f"/posts/{post['id']}")).json() == post


async def test_a_place_without_a_point(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    post = await _publish(ada, place={"name": "Home"})
    assert post["place"] == {"name": "Home", "latitude": None, "longitude": None}


async def test_only_the_rounded_point_is_stored(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    await _publish(ada, place=LISBON)
    stored = await entativa.platform.database.pool.fetchval("select place from posts")
    assert stored == {"name": "Lisbon", "latitude": 38.722, "longitude": -9.139}
    edge = await _publish(ada, place={"name": "x", "latitude": -0.0001, "longitude": 179.99999})
    assert str(edge["place"]["latitude"]) == "0.0"
    assert edge["place"]["longitude"] == 180


async def test_a_replaced_warning_stays_in_the_history_and_a_replaced_place_does_not(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    post = await _publish(ada, content_warning="Spoilers", place=LISBON)
    path = f"/posts/{post['id']}"
    entativa.clock.advance(timedelta(minutes=1))
    moved = await ada.patch(path, json={"place": {"name": "Porto"}})
    assert (moved.json()["place"]["name"], moved.json()["edited_at"]) == ("Porto", None)
    assert (await ada.patch(path, json={"place": {"name": ""}})).json()["place"] is None
    changed = (await ada.patch(path, json={"content_warning": "The end"})).json()
    assert (changed["content_warning"], changed["text"]) == ("The end", post["text"])
    assert changed["edited_at"] is not None
    removed = (await ada.patch(path, json={"content_warning": ""})).json()
    assert removed["content_warning"] is None
    assert (await ada.patch(path, json={"content_warning": None, "place": None})).json() == removed
    history = (await entativa.anonymous.get(f"{path}/history")).json()["items"]
    assert [version["content_warning"] for version in history] == [None, "The end", "Spoilers"]
    assert {version["text"] for version in history} == {post["text"]}
    assert "Porto" not in str(history)


UNFIT: list[tuple[dict[str, Any], str]] = [
    ({"content_warning": "x" * 201}, "content_warning"),
    ({"content_warning": "x" * 1_000}, "content_warning"),
    ({"content_warning": " \u200b"}, "content_warning"),
    ({"content_warning": "a\nb"}, "content_warning"),
    ({"content_warning": 5}, "content_warning"),
    ({"place": "Lisbon"}, "place"),
    ({"place": {}}, "place.name"),
    ({"place": {"name": "x" * 101}}, "place.name"),
    ({"place": {"name": "  "}}, "place.name"),
    ({"place": {"name": "a\u0000b"}}, "place.name"),
    ({"place": {"name": "x", "latitude": 91, "longitude": 0}}, "place.latitude"),
    ({"place": {"name": "x", "latitude": 0, "longitude": -181}}, "place.longitude"),
    ({"place": {"name": "x", "latitude": 1}}, "place.longitude"),
    ({"place": {"name": "x", "longitude": 1}}, "place.latitude"),
    ({"place": {"name": "x", "colour": "red"}}, "place.colour"),
]


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_what_cannot_be_a_warning_or_a_place(entativa: Environment, method: str) -> None:
    ada = await entativa.member("ada")
    post = await _publish(ada)
    path = "/posts" if method == "POST" else f"/posts/{post['id']}"
    for body, field in UNFIT:
        answer = await ada.request(method, path, json={"text": "x", **body})
        assert answer.status_code == 422, body
        assert field in {error["field"] for error in answer.json()["errors"]}, answer.text
    not_a_number = b'{"text": "x", "place": {"name": "x", "latitude": NaN, "longitude": 1}}'
    assert (await ada.request(method, path, content=not_a_number)).status_code == 422
    assert (await ada.get("/profiles/ada/posts")).json()["items"] == [post]
