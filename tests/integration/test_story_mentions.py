"""Mentions in stories over HTTP: who sees them, and that they give nobody a right."""

from typing import Any

from features.stories.events import StoryCreated
from tests.support.environment import PASSWORD, Environment
from tests.support.member import Member


async def _publish(author: Member, **body: Any) -> dict[str, Any]:
    answer = await author.post("/stories", json=body)
    assert answer.status_code == 201, answer.text
    story: dict[str, Any] = answer.json()
    return story


async def _named(reader: Member, story: dict[str, Any]) -> list[tuple[str, str]]:
    """The mentions that the reader sees, the same wherever the story is."""
    found = (await reader.get(f"/stories/{story['id']}")).json()
    listed = (await reader.get(f"/profiles/{story['author']['username']}/stories")).json()["items"]
    assert found["mentions"] == listed[0]["mentions"]
    return [(each["kind"], each["username"]) for each in found["mentions"]]


async def test_mentions_are_shown_to_those_who_may_know_the_person(entativa: Environment) -> None:
    ada, bob, eve, mia = [await entativa.member(name) for name in ("ada", "bob", "eve", "mia")]
    stickers = [{"username": "EVE", "x": 0.25, "y": 1}, {"username": "mia"}]
    story = await _publish(ada, text="With @bob and @nobody", mentions=stickers)
    assert [(each["username"], each.get("start"), each.get("x")) for each in story["mentions"]] == [
        ("bob", 5, None),
        ("eve", None, 0.25),
        ("mia", None, 0.5),
    ]
    everybody = [("mention", "bob"), ("sticker", "eve"), ("sticker", "mia")]
    for reader in (ada, bob, entativa.anonymous):
        assert await _named(reader, story) == everybody
    page = await bob.get("/profiles/ada/stories")
    assert entativa.statements(page) == 3, "the author; the stories; whom they mention"
    assert (await bob.put("/blocks/eve")).is_success
    assert await _named(bob, story) == [everybody[0], everybody[2]]
    assert (await mia.post("/account/deactivate", json={"password": PASSWORD})).is_success
    assert await _named(bob, story) == everybody[:1]
    assert await _named(entativa.anonymous, story) == everybody[:2]
    # The event names them, for whoever tells them.
    pool = entativa.platform.database.pool
    payload = await pool.fetchval("select payload from outbox where type = $1", StoryCreated.type)
    assert sorted(payload["mentions"]) == sorted([bob.id, eve.id, mia.id])


async def test_a_mention_gives_nobody_a_right(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    story = await _publish(ada, text="@bob", audience="only_me", mentions=[{"username": "bob"}])
    assert len(story["mentions"]) == 2
    assert (await bob.get(f"/stories/{story['id']}")).status_code == 404
    assert (await bob.get("/profiles/ada/stories")).json()["items"] == []


async def test_bad_mentions_name_their_field(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    assert (await bob.put("/blocks/ada")).is_success
    for mentions, code, field in (
        ([{"username": "ada"}, {"username": "nobody"}], "unknown_mentioned", "mentions.1.username"),
        ([{"username": "bob"}], "unknown_mentioned", "mentions.0.username"),
        ([{"username": "ada", "x": 1.5}], "invalid_input", "mentions.0.x"),
        ([{"username": "ada", "y": "top"}], "invalid_input", "mentions.0.y"),
        ([{"x": 0.5}], "invalid_input", "mentions.0.username"),
        ([{"username": "ada"}] * 21, "invalid_input", "mentions"),
    ):
        answer = await ada.post("/stories", json={"text": "x", "mentions": mentions})
        problem = answer.json()
        assert (answer.status_code, problem["code"], problem["errors"][0]["field"]) == (422, code, field)
    many = " ".join(f"@member{number}" for number in range(21))
    assert (await ada.post("/stories", json={"text": many})).json()["code"] == "too_many_mentioned"
