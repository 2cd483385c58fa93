"""Quotes and reposts in feeds from memory: what a reader sees of them is what the reader sees at their addresses."""

from datetime import timedelta
from typing import Any

from tests.integration.feeds.conftest import deliver
from tests.support.environment import PASSWORD, Environment
from tests.support.member import Member


async def _feed(reader: Member) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await reader.get("/feed")).json()["items"]
    return items


async def _as_at_their_addresses(reader: Member) -> list[bool]:
    """Whether the reader sees what is shared, of each post of the feed, newest first."""
    shown = await _feed(reader)
    assert shown == [(await reader.get(f"/posts/{item['id']}")).json() for item in shown]
    return [item["shared"]["post"] is not None for item in shown]


async def test_each_reader_sees_what_is_shared_as_at_its_address(vignette: Environment) -> None:
    ada, bob, eve, joe = [await vignette.member(name) for name in ("ada", "bob", "eve", "joe")]
    for reader in (eve, joe):
        assert (await reader.put("/follows/bob")).is_success
    assert (await joe.put("/follows/ada")).is_success
    post = (await ada.post("/posts", json={"text": "Hi @eve"})).json()
    path = f"/posts/{post['id']}"
    assert (await bob.post("/posts", json={"text": "Look", "quoted_id": post["id"]})).is_success
    vignette.clock.advance(timedelta(seconds=1))
    assert (await bob.put(f"{path}/repost")).is_success
    joes = [item for item in await _feed(joe) if item["shared"]]
    assert len(joes) == 2
    assert (await joe.delete("/follows/ada")).is_success

    async def seen_by_all() -> list[list[bool]]:
        return [await _as_at_their_addresses(reader) for reader in (eve, joe, bob)]

    shown, hidden = [True, True], [False, False]
    assert await seen_by_all() == [shown] * 3
    assert vignette.statements(await eve.get("/feed")) == 0
    # Nothing is delivered in between: all of this happens before the response.
    assert (await ada.patch(path, json={"text": "Hello @eve"})).is_success
    assert await seen_by_all() == [shown] * 3
    assert (await _feed(eve))[0]["shared"]["post"]["text"] == "Hello @eve"
    assert (await eve.put("/blocks/ada")).is_success
    assert await seen_by_all() == [hidden, shown, shown]
    assert (await eve.delete("/blocks/ada")).is_success
    assert (await ada.patch(path, json={"audience": "connections"})).is_success
    assert (await joe.put("/follows/ada")).is_success
    assert await _as_at_their_addresses(eve) == hidden
    assert [item["shared"]["post"] is not None for item in await _feed(joe) if item["shared"]] == shown
    assert (await joe.delete("/follows/ada")).is_success
    assert (await ada.patch(path, json={"audience": "public"})).is_success
    assert await seen_by_all() == [shown] * 3
    assert (await ada.post("/account/deactivate", json={"password": PASSWORD})).is_success
    assert await seen_by_all() == [hidden] * 3
    ada = await vignette.log_in("ada")
    assert await seen_by_all() == [shown] * 3
    assert (await bob.put("/blocks/ada")).is_success
    assert await seen_by_all() == [[False]] * 3, "the quote is gone, the repost is undone"
    assert (await bob.delete("/blocks/ada")).is_success
    assert await seen_by_all() == [[True]] * 3
    assert (await ada.delete(path)).is_success
    assert await seen_by_all() == [[False]] * 3


async def test_what_is_shared_has_its_numbers_and_the_reader_s_own_marks(vignette: Environment) -> None:
    ada, bob, eve, joe = [await vignette.member(name) for name in ("ada", "bob", "eve", "joe")]
    for reader in (eve, joe):
        assert (await reader.put("/follows/bob")).is_success
    post = (await ada.post("/posts", json={"text": "Hi"})).json()["id"]
    assert (await bob.post("/posts", json={"text": "Look", "quoted_id": post})).is_success
    assert (await bob.put(f"/posts/{post}/repost")).is_success
    assert await _as_at_their_addresses(eve) == [True, True]
    for path, body in (("reaction", {"kind": "love"}), ("repost", None)):
        assert (await eve.put(f"/posts/{post}/{path}", json=body)).is_success
    assert (await eve.put(f"/saved-posts/{post}")).is_success
    assert (await joe.post(f"/posts/{post}/comments", json={"text": "Hi"})).is_success
    for reader, own in ((eve, "love"), (joe, None), (bob, None)):
        assert all(await _as_at_their_addresses(reader))
        shown = [item for item in await _feed(reader) if item["author"]["username"] == "bob"]
        assert len(shown) == 2
        for item in shown:
            assert item["reactions"]["total"] == item["comments"] == 0, "a repost is a post of its own"
            numbers = item["shared"]["post"]
            assert (numbers["comments"], numbers["reposts"], numbers["quotes"]) == (1, 2, 1)
            assert (numbers["reactions"]["total"], numbers["reactions"]["own"]) == (1, own)
            assert (numbers["reposted"], numbers["saved"]) == (reader in (eve, bob), reader is eve)
    assert vignette.statements(await eve.get("/feed")) == 0


async def test_reposts_of_a_deleted_post_leave_feeds(vignette: Environment) -> None:
    ada, bob, eve = [await vignette.member(name) for name in ("ada", "bob", "eve")]
    assert (await eve.put("/follows/bob")).is_success
    post = (await ada.post("/posts", json={"text": "Hi"})).json()
    assert (await bob.put(f"/posts/{post['id']}/repost")).is_success
    assert await _as_at_their_addresses(eve) == [True]
    assert (await ada.delete(f"/posts/{post['id']}")).is_success
    assert await _as_at_their_addresses(eve) == [False]
    await deliver(vignette, "posts.undo_reposts")
    assert await _feed(eve) == []


async def test_reposts_and_polls_are_those_of_each_reader(vignette: Environment) -> None:
    ada, bob, eve = [await vignette.member(name) for name in ("ada", "bob", "eve")]
    for reader, author in ((bob, "ada"), (eve, "ada"), (eve, "bob")):
        assert (await reader.put(f"/follows/{author}")).is_success
    poll = {"options": ["a", "b"], "duration_s": 3600}
    post = (await ada.post("/posts", json={"text": "Hi", "poll": poll})).json()
    vignette.clock.advance(timedelta(seconds=1))
    await deliver(vignette, "feeds.fanout")
    for reader in (ada, bob, eve):
        assert [item["reposted"] for item in await _feed(reader)] == [False]
    # Nothing is delivered in between: all of this happens before the response.
    assert (await bob.put(f"/posts/{post['id']}/repost")).is_success
    assert (await bob.post("/posts", json={"text": "Look", "quoted_id": post["id"], "poll": poll})).is_success
    assert (await eve.put(f"/posts/{post['id']}/poll/vote", json={"choices": [0]})).is_success
    await deliver(vignette, "feeds.fanout")
    for reader, reposted in ((ada, False), (bob, True), (eve, False)):
        shown = await _feed(reader)
        assert shown == [(await reader.get(f"/posts/{item['id']}")).json() for item in shown]
        (own,) = [item for item in shown if item["id"] == post["id"]]
        assert (own["reposts"], own["quotes"], own["reposted"]) == (1, 1, reposted)
        shared = [item["shared"]["post"]["poll"]["own_choices"] for item in shown if item["shared"]]
        assert shared == ([] if reader is ada else [[0], [0]] if reader is eve else [None, None])
    assert (await bob.delete(f"/posts/{post['id']}/repost")).is_success
    for reader in (ada, bob, eve):
        (own,) = [item for item in await _feed(reader) if item["id"] == post["id"]]
        assert (own["reposts"], own["reposted"]) == (0, False)


async def test_what_the_reader_reposted_comes_out_of_memory(vignette: Environment) -> None:
    ada, bob, eve = [await vignette.member(name) for name in ("ada", "bob", "eve")]
    for reader in (bob, eve):
        assert (await reader.put("/follows/ada")).is_success
    path = f"/posts/{(await ada.post('/posts', json={'text': 'x'})).json()['id']}"

    async def shown(reader: Member) -> tuple[bool, int, int]:
        """Whether the reader has reposted ada's post, how many have, and the statements of the page."""
        page = await reader.get("/feed")
        [post] = [item for item in page.json()["items"] if not item["shared"]]
        return post["reposted"], post["reposts"], vignette.statements(page)

    assert (await shown(bob))[:2] == (await shown(eve))[:2] == (False, 0)
    assert (await eve.put(f"{path}/repost")).is_success
    for reader, own in ((bob, False), (eve, True)):
        assert (await shown(reader))[:2] == (own, 1)
        assert await shown(reader) == (own, 1, 0)
    # One's own write is seen at once, and concerns nobody else's memory.
    for expected, count, change in ((True, 2, bob.put), (False, 1, bob.delete), (True, 2, bob.put)):
        assert (await change(f"{path}/repost")).is_success
        assert await shown(eve) == (True, count, 0)
        assert (await shown(bob))[:2] == (expected, count)
        assert await shown(bob) == (expected, count, 0)
    # A repost can be deleted like a post, too, and ends with a block.
    [repost] = [item for item in (await bob.get("/profiles/bob/posts")).json()["items"] if item["shared"]]
    assert (await bob.delete(f"/posts/{repost['id']}")).is_success
    assert (await shown(bob))[:2] == (False, 1)


async def test_what_the_reader_saved_comes_out_of_memory(vignette: Environment) -> None:
    ada, bob, eve = [await vignette.member(name) for name in ("ada", "bob", "eve")]
    for reader in (bob, eve):
        assert (await reader.put("/follows/ada")).is_success
    post = (await ada.post("/posts", json={"text": "x"})).json()
    assert post["saved"] is False

    async def shown(reader: Member) -> tuple[bool, int]:
        """Whether the feed says that the reader has saved ada's post, as its address does, and its statements."""
        page = await reader.get("/feed")
        [item] = page.json()["items"]
        assert item == (await reader.get(f"/posts/{post['id']}")).json()
        return item["saved"], vignette.statements(page)

    for reader in (bob, eve):
        assert (await shown(reader))[0] is False
        assert await shown(reader) == (False, 0)
    trips = (await bob.post("/collections", json={"name": "Trips"})).json()["id"]
    changes = [
        (bob.put, f"/saved-posts/{post['id']}", True),
        (bob.delete, f"/saved-posts/{post['id']}", False),
        (bob.put, f"/collections/{trips}/posts/{post['id']}", True),
        (bob.delete, f"/collections/{trips}/posts/{post['id']}", True),
    ]
    for change, path, saved in changes:
        assert (await change(path)).is_success
        assert (await shown(bob))[0] is saved
        assert await shown(bob) == (saved, 0)
        assert await shown(eve) == (False, 0)
