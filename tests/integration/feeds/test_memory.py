"""What only holds for feeds in memory: no statements, changes visible at once, and Postgres as the fallback."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgpack
import pytest
from prometheus_client import REGISTRY

from actors.feeds.calls import FeedCalls
from actors.feeds.entity import page_to_wire
from features.feed import store
from features.feed.machine import TimelinePage
from features.feed.policy import FeedPolicy
from features.feed.ports import AuthorRead
from features.feed.service import FeedService
from tests.integration.feeds.conftest import deliver, set_patience
from tests.support.environment import PASSWORD, Environment
from tests.support.member import Member
from tests.support.timeline_host import HOSTS


async def _feed(reader: Member, **query: Any) -> tuple[list[str], int]:
    answer = await reader.get("/feed", params=query)
    assert answer.status_code == 200, answer.text
    return [item["text"] for item in answer.json()["items"]], Environment.statements(answer)


async def _publish(environment: Environment, author: Member, text: str, **more: Any) -> str:
    environment.clock.advance(timedelta(milliseconds=7))
    answer = await author.post("/posts", json={"text": text, **more})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def _loads() -> float:
    return REGISTRY.get_sample_value("entativa_feed_loads_total") or 0.0


def _degraded() -> float:
    return REGISTRY.get_sample_value("entativa_degraded_total", {"mode": "feed_from_sql"}) or 0.0


async def test_a_known_feed_takes_no_statement(vignette: Environment) -> None:
    ada, bob = await vignette.member("ada"), await vignette.member("bob")
    await ada.put("/follows/bob")
    for number in range(3):
        await _publish(vignette, bob, f"{number} @ada")
    await _feed(ada)
    assert await _feed(ada) == (["2 @ada", "1 @ada", "0 @ada"], 0)
    await _publish(vignette, bob, "3")
    await _feed(ada)
    assert await _feed(ada) == (["3", "2 @ada", "1 @ada", "0 @ada"], 0)


async def test_one_s_own_post_is_there_at_once(vignette: Environment) -> None:
    ada = await vignette.member("ada")
    await _feed(ada)
    await _publish(vignette, ada, "mine")
    assert (await _feed(ada, cursor=""))[0] == ["mine"]  # with a cursor nothing is delivered first (conftest.py)


async def test_a_deleted_and_an_edited_post_are_so_at_once(vignette: Environment) -> None:
    ada, bob = await vignette.member("ada"), await vignette.member("bob")
    await ada.put("/follows/bob")
    first, second = await _publish(vignette, bob, "first"), await _publish(vignette, bob, "second")
    assert (await _feed(ada))[0] == ["second", "first"]
    assert (await bob.delete(f"/posts/{first}")).status_code == 204
    assert (await bob.patch(f"/posts/{second}", json={"text": "edited"})).status_code == 200
    assert (await _feed(ada, cursor=""))[0] == ["edited"]
    assert (await bob.patch(f"/posts/{second}", json={"audience": "close_friends"})).status_code == 200
    assert (await _feed(ada, cursor=""))[0] == []


async def test_who_leaves_is_out_of_every_feed_at_once_and_back_with_the_return(vignette: Environment) -> None:
    ada, bob, eve = [await vignette.member(name) for name in ("ada", "bob", "eve")]
    for author in (bob, eve):
        await ada.put(f"/follows/{author.username}")
    await _publish(vignette, bob, "of bob")
    await _publish(vignette, eve, "with @bob")
    await _feed(ada)
    assert await _feed(ada) == (["with @bob", "of bob"], 0)
    assert (await bob.post("/account/deactivate", json={"password": PASSWORD})).status_code == 204
    assert (await _feed(ada, cursor=""))[0] == ["with @bob"]
    assert (await ada.get("/feed", params={"cursor": ""})).json()["items"][0]["entities"] == []
    await deliver(vignette, "feeds.account_state")
    await _feed(ada, cursor="")
    assert await _feed(ada, cursor="") == (["with @bob"], 0)
    await vignette.log_in("bob")
    assert (await ada.get("/feed", params={"cursor": ""})).json()["items"][0]["entities"] != []
    await deliver(vignette, "feeds.account_state")
    await _feed(ada, cursor="")
    assert await _feed(ada, cursor="") == (["with @bob", "of bob"], 0)


@pytest.mark.parametrize("feed_policy", [FeedPolicy(high_fan_out_above=0)], indirect=True)
async def test_who_leaves_with_a_high_fan_out_is_out_of_every_feed_at_once(vignette: Environment) -> None:
    ada, bob = await vignette.member("ada"), await vignette.member("bob")
    await ada.put("/follows/bob")
    await _publish(vignette, bob, "of bob")
    await _feed(ada)
    assert await _feed(ada) == (["of bob"], 0)
    assert (await bob.post("/account/deactivate", json={"password": PASSWORD})).status_code == 204
    assert (await _feed(ada, cursor=""))[0] == []
    await deliver(vignette, "feeds.account_state")
    await _feed(ada, cursor="")
    assert await _feed(ada, cursor="") == ([], 0)
    await vignette.log_in("bob")
    await deliver(vignette, "feeds.account_state")
    assert (await _feed(ada, cursor=""))[0] == ["of bob"]


_BLOCKERS = """
with people as (
    insert into accounts (id, email, password_hash, created_at)
    select gen_random_uuid(), 'blocker' || number || '@example.org', 'none', now()
    from generate_series(1, 20000) as number returning id
)
insert into blocks (blocker_id, blocked_id, created_at) select id, $1, now() from people
"""


async def test_a_reader_whom_very_many_have_blocked_has_small_pages_and_sees_no_mention_of_them(
    vignette: Environment,
) -> None:
    ada, bob, eve, _ = [await vignette.member(name) for name in ("ada", "bob", "eve", "mia")]
    await ada.put("/follows/bob")
    async with vignette.platform.database.unit_of_work() as uow:
        await uow.execute(_BLOCKERS, UUID(ada.id))
        await uow.commit()
    await eve.put("/blocks/ada")
    await _publish(vignette, bob, "to all")
    await _feed(ada)
    assert await _feed(ada) == (["to all"], 0)
    await _publish(vignette, bob, "with @eve and @mia")
    await _feed(ada)
    answer = await ada.get("/feed")
    entities = answer.json()["items"][0]["entities"]
    assert [entity["username"] for entity in entities] == ["mia"]
    assert Environment.statements(answer) == 3, "who is blocked; the one post and its mentions, for this reader alone"
    await _publish(vignette, bob, "with @mia")
    await eve.delete("/blocks/ada")
    await _feed(ada)
    assert await _feed(ada) == (["with @mia", "with @eve and @mia", "to all"], 1)
    timeline = HOSTS[id(vignette)].entity(UUID(ada.id).hex).timeline
    assert len(msgpack.packb(page_to_wire(timeline.page(None, 50)))) < 500
    assert len(msgpack.packb(timeline.snapshot())) < 500


@pytest.mark.parametrize("feed_policy", [FeedPolicy(max_lists=1)], indirect=True)
async def test_a_reader_on_many_lists_sees_the_posts_to_them_and_no_others(vignette: Environment) -> None:
    ada, bob = await vignette.member("ada"), await vignette.member("bob")
    await ada.put("/follows/bob")
    lists = [(await bob.post("/lists", json={"name": str(number)})).json()["id"] for number in range(3)]
    for list_id in lists[:2]:
        assert (await bob.put(f"/lists/{list_id}/members/ada")).is_success
    await _feed(ada)
    for number, list_id in enumerate(lists):
        await _publish(vignette, bob, f"to list {number}", audience="list", list_id=list_id)
    assert (await _feed(ada))[0] == ["to list 1", "to list 0"]
    assert await _feed(ada) == (["to list 1", "to list 0"], 2)
    assert (await bob.delete(f"/lists/{lists[0]}/members/ada")).is_success
    assert (await _feed(ada, cursor=""))[0] == ["to list 1"]


async def test_what_strangers_do_to_their_close_friends_and_lists_drops_no_timeline(vignette: Environment) -> None:
    ada, bob, eve = [await vignette.member(name) for name in ("ada", "bob", "eve")]
    await ada.put("/follows/bob")
    list_ids = {
        member.username: (await member.post("/lists", json={"name": "mine"})).json()["id"] for member in (bob, eve)
    }
    await deliver(vignette, "feeds.forget")
    await _feed(ada)
    loads = _loads()

    async def toggle(owner: Member) -> None:
        assert (await owner.put("/close-friends/ada")).is_success
        assert (await owner.put(f"/lists/{list_ids[owner.username]}/members/ada")).is_success
        await deliver(vignette, "feeds.forget")
        await _feed(ada)

    await toggle(eve)
    assert _loads() == loads
    await toggle(bob)
    assert _loads() > loads, "an author's choice shows other posts"
    await _publish(vignette, bob, "for close friends", audience="close_friends")
    await _publish(vignette, eve, "eve's", audience="list", list_id=list_ids[eve.username])
    assert (await _feed(ada))[0] == ["for close friends"]
    await ada.put("/follows/eve")
    assert (await _feed(ada))[0] == ["eve's", "for close friends"]


async def test_without_timelines_the_feed_comes_from_postgres(
    vignette: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob = await vignette.member("ada"), await vignette.member("bob")
    await ada.put("/follows/bob")
    await _publish(vignette, bob, "news")
    await _feed(ada)
    HOSTS[id(vignette)].stop()
    set_patience(monkeypatch, 0.5)
    before = _degraded()
    texts, statements = await _feed(ada, cursor="")
    assert (texts, statements > 0, _degraded() - before) == (["news"], True, 1)


@pytest.fixture
def feed_policy(request: pytest.FixtureRequest) -> FeedPolicy:
    """Short timelines where a test asks for them."""
    return getattr(request, "param", FeedPolicy())


@pytest.mark.parametrize("feed_policy", [FeedPolicy(max_posts=4)], indirect=True)
async def test_pages_further_back_than_is_kept_come_from_postgres(vignette: Environment) -> None:
    ada = await vignette.member("ada")
    for number in range(9):
        await _publish(vignette, ada, str(number))
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    before = _degraded()
    while True:
        page = (await ada.get("/feed", params=query)).json()
        seen += [item["text"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert sorted(seen) == [str(number) for number in range(9)]
    assert _degraded() == before, "that is no failure"


@pytest.mark.parametrize("feed_policy", [FeedPolicy(high_fan_out_above=2)], indirect=True)
async def test_an_author_gets_a_high_fan_out_and_no_reader_misses_a_post(vignette: Environment) -> None:
    ada, bob, eve, mia = [await vignette.member(name) for name in ("ada", "bob", "eve", "mia")]
    await ada.put("/follows/mia")
    await _publish(vignette, mia, "for one")
    assert (await _feed(ada))[0] == ["for one"]  # ada's timeline is loaded while mia has one reader
    for reader in (bob, eve):
        await reader.put("/follows/mia")
    await _publish(vignette, mia, "for all")
    await _publish(vignette, mia, "for followers", audience="connections")
    await _publish(vignette, mia, "for close friends", audience="close_friends")
    for reader in (ada, bob, eve):
        assert (await _feed(reader))[0] == ["for followers", "for all", "for one"]
    assert (await mia.put("/close-friends/bob")).is_success
    assert (await _feed(bob))[0][0] == "for close friends"
    assert (await _feed(ada))[0][0] == "for followers"


@pytest.mark.parametrize("feed_policy", [FeedPolicy(high_fan_out_above=1)], indirect=True)
async def test_many_authors_with_a_high_fan_out_cost_no_statement_each(vignette: Environment) -> None:
    ada, bob = await vignette.member("ada"), await vignette.member("bob")
    authors = [await vignette.member(f"author{number}") for number in range(6)]
    for reader in (ada, bob):
        for author in authors:
            assert (await reader.put(f"/follows/{author.username}")).is_success
    for number in range(5):
        for author in authors:
            await _publish(vignette, author, f"{number} {author.username} @bob")
    await _feed(bob)
    vignette.platform.service(FeedService).home.cache.clear()  # type: ignore[union-attr]
    expected = [f"{number} {author.username} @bob" for number in range(4, -1, -1) for author in reversed(authors)]
    assert await _feed(ada, limit=20) == (expected[:20], 3), "the posts, whom they mention, and her marks"
    assert await _feed(ada, limit=20) == (expected[:20], 0)
    first = await ada.get("/feed", params={"limit": 20})
    assert (await _feed(ada, limit=20, cursor=first.json()["next_cursor"]))[0] == expected[20:]


@pytest.mark.parametrize("feed_policy", [FeedPolicy(high_fan_out_above=1)], indirect=True)
async def test_the_newest_posts_of_a_high_fan_out_author_are_read_again_only_when_they_change(
    vignette: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob, eve, cem = [await vignette.member(name) for name in ("ada", "bob", "eve", "cem")]
    for reader in (ada, bob):
        for author in (eve, cem):
            await reader.put(f"/follows/{author.username}")
    await _publish(vignette, eve, "first")
    second = await _publish(vignette, cem, "second")
    asked: list[bytes] = []
    author_pages = FeedCalls.author_pages

    async def noted(self: FeedCalls, reads: Sequence[AuthorRead], limit: int) -> list[TimelinePage]:
        asked.extend(read.author for read in reads)
        return await author_pages(self, reads, limit)

    monkeypatch.setattr(FeedCalls, "author_pages", noted)

    async def read(reader: Member) -> tuple[list[str], set[str]]:
        asked.clear()
        texts, _ = await _feed(reader)
        return texts, {author.username for author in (eve, cem) if UUID(author.id).bytes in asked}

    assert await read(ada) == (["second", "first"], {"eve", "cem"})
    assert await read(bob) == (["second", "first"], set())
    await _publish(vignette, eve, "third")
    assert await read(ada) == (["third", "second", "first"], {"eve"})
    assert (await cem.delete(f"/posts/{second}")).is_success
    assert await read(bob) == (["third", "first"], {"cem"})
    hidden = await _publish(vignette, cem, "fourth", audience="only_me")
    assert await read(ada) == (["third", "first"], {"cem"})
    assert (await cem.patch(f"/posts/{hidden}", json={"audience": "public"})).is_success
    assert await read(ada) == (["fourth", "third", "first"], {"cem"})
    assert await read(ada) == (["fourth", "third", "first"], set())


@pytest.mark.parametrize("feed_policy", [FeedPolicy(high_fan_out_above=1)], indirect=True)
async def test_deleting_a_post_of_an_author_with_a_high_fan_out_reads_no_readers(
    vignette: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob, cem = [await vignette.member(name) for name in ("ada", "bob", "cem")]
    await ada.put("/follows/cem")
    delivered = await _publish(vignette, cem, "delivered")
    assert (await _feed(ada))[0] == ["delivered"]
    await bob.put("/follows/cem")
    merged = await _publish(vignette, cem, "merged")
    assert (await _feed(ada))[0] == ["merged", "delivered"]
    read: list[object] = []

    async def readers(*arguments: object, **_: object) -> list[object]:
        read.append(arguments)
        return []

    monkeypatch.setattr(store, "readers", readers)
    for post_id in (delivered, merged):
        assert (await cem.delete(f"/posts/{post_id}")).is_success
    for reader in (ada, bob):
        assert (await _feed(reader))[0] == []
    assert read == []


@pytest.mark.parametrize("feed_policy", [FeedPolicy(high_fan_out_above=1)], indirect=True)
async def test_an_author_who_shrinks_and_grows_again_loses_no_reader(vignette: Environment) -> None:
    ada, bob, cem, dan = [await vignette.member(name) for name in ("ada", "bob", "cem", "dan")]
    for reader in (bob, cem):
        await reader.put("/follows/ada")
    await _publish(vignette, ada, "first")
    assert (await _feed(bob))[0] == ["first"]
    await bob.delete("/follows/ada")
    assert (await _feed(cem))[0] == ["first"]
    await dan.put("/follows/ada")
    await _publish(vignette, ada, "second")
    assert (await _feed(cem))[0] == ["second", "first"]


async def test_when_a_post_cannot_be_read_for_memory_the_page_comes_from_postgres(
    vignette: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await vignette.member("ada")
    await _publish(vignette, ada, "mine")

    async def refused(*_: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(store, "shown", refused)
    assert (await _feed(ada))[0] == ["mine"]
