"""Polls in feeds from memory: the post is rendered once, the poll for each reader."""

from datetime import timedelta
from typing import Any

from tests.integration.feeds.conftest import deliver
from tests.support.environment import Environment
from tests.support.member import Member

POLL = {"options": ["a", "b"], "duration_s": 86_400}


async def _feed(reader: Member) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await reader.get("/feed")).json()["items"]
    return items


async def test_each_reader_sees_the_poll_as_at_its_address(vignette: Environment) -> None:
    ada, *readers = [await vignette.member(name) for name in ("ada", "bob", "eve", "joe", "max")]
    for reader in readers:
        assert (await reader.put("/follows/ada")).is_success
    posts = []
    for text, more in (("poll", {"poll": POLL}), ("plain", {}), ("@bob poll", {"poll": POLL})):
        vignette.clock.advance(timedelta(seconds=1))
        posts.append((await ada.post("/posts", json={"text": text, **more})).json())
    bob, eve, joe, _ = readers
    assert (await eve.put("/blocks/bob")).is_success  # so that the mention is rendered for eve alone
    for voter, choice in ((bob, 0), (eve, 1), (joe, 1)):
        for post in (posts[0], posts[2]):
            voted = await voter.put(f"/posts/{post['id']}/poll/vote", json={"choices": [choice]})
            assert voted.status_code == 200
    for _ in range(2):
        for reader in readers:
            shown = await _feed(reader)
            assert [item["text"] for item in shown] == ["@bob poll", "plain", "poll"]
            assert shown == [(await reader.get(f"/posts/{item['id']}")).json() for item in shown]
        await deliver(vignette, "posts.poll_counts")
    assert [item["poll"] and item["poll"]["voters"] for item in await _feed(bob)] == [3, None, 3]
    assert [item["poll"] and item["poll"]["voters"] for item in await _feed(readers[3])] == [None, None, None]


async def test_a_page_with_polls_takes_one_statement_and_one_without_takes_none(vignette: Environment) -> None:
    ada, bob = await vignette.member("ada"), await vignette.member("bob")
    assert (await bob.put("/follows/ada")).is_success
    assert (await ada.post("/posts", json={"text": "plain"})).is_success
    await _feed(bob)
    assert vignette.statements(await bob.get("/feed")) == 0
    for _ in range(5):
        assert (await ada.post("/posts", json={"text": "x", "poll": POLL})).is_success
    await _feed(bob)
    page = await bob.get("/feed")
    assert len(page.json()["items"]) == 6
    assert vignette.statements(page) == 1
