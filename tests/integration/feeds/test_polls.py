"""Polls in feeds from memory: the post is rendered once, the poll for each reader."""

from datetime import timedelta
from typing import Any

from tests.integration.feeds.conftest import deliver
from tests.support.environment import Environment
from tests.support.member import Member

DAY_S = 86_400
POLL = {"options": ["a", "b"], "duration_s": DAY_S}


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


async def test_a_page_with_polls_takes_no_statement(vignette: Environment) -> None:
    ada, *readers = [await vignette.member(name) for name in ("ada", "bob", "eve", "joe")]
    for reader in readers:
        assert (await reader.put("/follows/ada")).is_success
    post = (await ada.post("/posts", json={"text": "x", "poll": POLL})).json()["id"]
    path = f"/posts/{post}"

    async def shown(reader: Member) -> tuple[int | None, list[int] | None, bool]:
        """The voters and the own vote that the reader sees in the feed, as at the poll's address, and whether that took
        no statement."""
        page = await reader.get("/feed")
        [item] = page.json()["items"]
        assert item == (await reader.get(path)).json()
        return item["poll"]["voters"], item["poll"]["own_choices"], vignette.statements(page) == 0

    for reader in (ada, *readers):
        await shown(reader)
        assert await shown(reader) == (None, None, True)
    # One's own vote is seen at once, and drops nothing that is kept of others.
    for number, voter in enumerate(readers):
        assert (await voter.put(f"{path}/poll/vote", json={"choices": [number % 2]})).status_code == 200
        assert (await shown(voter))[:2] == (None, [number % 2])
        assert await shown(voter) == (None, [number % 2], True)
        assert await shown(ada) == (None, None, True)
    # Votes are counted by a consumer, whose commit is known to gateways before it goes on.
    await deliver(vignette, "posts.poll_counts")
    assert (await shown(readers[0]))[:2] == (3, [0])
    assert await shown(readers[1]) == (3, [1], True)
    assert await shown(ada) == (None, None, True)
    vignette.clock.advance(timedelta(seconds=DAY_S))
    ada = await vignette.log_in("ada")
    assert (await shown(ada))[:2] == (3, None)
    vignette.clock.advance(timedelta(minutes=2))
    assert (await shown(ada))[:2] == (3, None)
    assert await shown(ada) == (3, None, True)
