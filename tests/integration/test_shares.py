"""Quotes and reposts over HTTP: what is shared is seen by those who may see it, and by nobody else."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from cluster.events.event import Event
from cluster.postgres import UnitOfWork
from deployments.platform import brand_consumers
from features.posts import share_store
from features.posts.events import PostDeleted
from features.posts.model import Audience
from features.posts.privacy import may_see
from features.posts.share_store import _QUOTES
from tests.integration.test_privacy_posts import RELATIONS, UNKNOWN, Scenario, environment, scenario
from tests.support.environment import PASSWORD, Environment
from tests.support.member import Member
from tests.support.people import add_people

__all__ = ["environment", "scenario"]

GONE = {"kind": "quote", "post": None}


async def _publish(author: Member, text: str, **more: Any) -> dict[str, Any]:
    answer = await author.post("/posts", json={"text": text, **more})
    assert answer.status_code == 201, answer.text
    post: dict[str, Any] = answer.json()
    return post


async def _repost(reader: Member, post_id: str) -> dict[str, Any]:
    answer = await reader.put(f"/posts/{post_id}/repost")
    assert answer.status_code == 200, answer.text
    post: dict[str, Any] = answer.json()
    return post


async def _get(reader: Member, post: dict[str, Any]) -> dict[str, Any]:
    answer = await reader.get(f"/posts/{post['id']}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def _content(post: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """What is shown of a post in one that shares it, given what has changed of it since."""
    return {name: value for name, value in {**post, **changes}.items() if name != "shared"}


async def _counted(reader: Member, post: dict[str, Any]) -> tuple[int, int, bool]:
    found = await _get(reader, post)
    return found["reposts"], found["quotes"], found["reposted"]


async def test_a_quote_shows_the_post_it_quotes(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    post = await _publish(ada, "Hi #all @bob", place={"name": "Lisbon"})
    quote = await _publish(bob, "So true #quote", quoted_id=post["id"])
    assert quote["shared"] == {"kind": "quote", "post": _content(post, quotes=1)}
    for path in ("/feed", "/profiles/bob/posts", "/hashtags/quote/posts"):
        assert (await bob.get(path)).json()["items"] == [quote]
    assert await _get(entativa.anonymous, quote) == quote
    edited = await bob.patch(f"/posts/{quote['id']}", json={"text": "Indeed #quote"})
    assert edited.json()["shared"] == quote["shared"]
    await ada.patch(f"/posts/{post['id']}", json={"text": "Hello"})
    assert (await _get(bob, quote))["shared"]["post"]["text"] == "Hello"
    assert (await ada.delete(f"/posts/{post['id']}")).status_code == 204
    assert (await _get(bob, quote))["shared"] == GONE


async def test_a_repost_is_one_per_person_and_can_be_undone(entativa: Environment) -> None:
    ada, bob, eve = [await entativa.member(name) for name in ("ada", "bob", "eve")]
    post = await _publish(ada, "Hi #all")
    repost = await _repost(bob, post["id"])
    assert (repost["text"], repost["author"]["username"], repost["audience"]) == ("", "bob", "public")
    assert repost["shared"] == {"kind": "repost", "post": _content(post, reposted=True, reposts=1)}
    assert await _repost(bob, post["id"]) == await _get(bob, repost) == repost
    seen = await _get(entativa.anonymous, repost)
    assert seen == {**repost, "shared": {"kind": "repost", "post": _content(post, reposts=1)}}
    assert (await bob.get("/profiles/bob/posts")).json()["items"] == [repost]
    of_repost = await _repost(eve, repost["id"])
    shown = {"kind": "repost", "post": _content(post, reposted=True, reposts=2)}
    assert of_repost["shared"] == shown, "a repost of a repost is one of the post"
    changed = await bob.patch(f"/posts/{repost['id']}", json={"text": "mine"})
    assert (changed.status_code, changed.json()["code"]) == (409, "not_editable")
    for _ in range(2):
        assert (await bob.delete(f"/posts/{post['id']}/repost")).status_code == 204
    assert (await bob.get("/profiles/bob/posts")).json()["items"] == []
    assert (await ada.delete(f"/posts/{post['id']}")).status_code == 204
    assert (await _get(eve, of_repost))["shared"] == {"kind": "repost", "post": None}
    await entativa.drain()
    assert (await eve.get("/profiles/eve/posts")).json()["items"] == []


_REPOSTS = """
insert into posts (id, author_id, text, audience, reposted_id, created_at)
select gen_random_uuid(), account_id, '', 'public', $1, $2 from profiles where username = any($3::text[])
"""


async def test_reposts_of_a_deleted_post_are_undone_in_batches(
    entativa: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, database = await entativa.member("ada"), entativa.platform.database
    people = await add_people(entativa, 30)
    [undo] = [each for each in brand_consumers(entativa.platform) if each.name == "posts.undo_reposts"]
    assert undo.outside

    async def deleted_post(reposts: int) -> Event:
        """The event of a post with so many reposts that was deleted."""
        post = await _publish(ada, "Hi")
        await database.pool.execute(_REPOSTS, UUID(post["id"]), entativa.clock(), people[:reposts])
        assert (await ada.delete(f"/posts/{post['id']}")).is_success
        body = PostDeleted(UUID(post["id"]), UUID(ada.id), entativa.clock(), Audience.PUBLIC, None, (), ())
        return body.event(entativa.clock())

    async def handle(event: Event) -> int:
        """Returns how many statements it took."""
        async with database.unit_of_work() as uow:
            await undo.handle(uow, [event])
            await uow.commit()
            return uow.statements

    async def published() -> Counter[str]:
        """The types of the events since the last time."""
        rows = await database.pool.fetch("delete from outbox returning type")
        return Counter(row["type"] for row in rows)

    few, many = await deleted_post(3), await deleted_post(30)
    await published()
    statements = await handle(few)
    assert await published() == {"posts.deleted": 3}
    assert await handle(many) == statements
    assert await published() == {"posts.deleted": 30}, "nobody has to look for counts, or what they reposted, anew"

    # What was committed before a failure stays done, and the rest is done the next time.
    monkeypatch.setattr("features.posts.consumers._UNDONE_AT_ONCE", 10)
    many, batches = await deleted_post(30), 0
    delete_of = share_store.delete_of

    async def failing(uow: UnitOfWork, post_id: UUID, limit: int) -> list[Any]:
        nonlocal batches
        batches += 1
        if batches == 3:
            raise ConnectionError
        return [*await delete_of(uow, post_id, limit)]

    await published()
    with monkeypatch.context() as patched:
        patched.setattr(share_store, "delete_of", failing)
        with pytest.raises(ConnectionError):
            await handle(many)
    assert await published() == {"posts.deleted": 20}
    await handle(many)
    assert await published() == {"posts.deleted": 10}
    assert await database.pool.fetchval("select count(*) from posts") == 0


async def test_requests_at_once_repost_once(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    post = await _publish(ada, "x")
    answers = await asyncio.gather(*(bob.put(f"/posts/{post['id']}/repost") for _ in range(6)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert 200 in {answer.status_code for answer in answers}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {"already_reposted"}
    assert len((await bob.get("/profiles/bob/posts")).json()["items"]) == 1


async def test_what_may_be_shared(scenario: Scenario) -> None:
    """Public posts, by those who may see them; what one may not see is as what there is not."""
    for relation, stands in RELATIONS.items():
        reader = scenario.readers[relation]
        for audience, post_id in scenario.posts.items():
            seen = may_see(stands, audience)
            reposted = await reader.put(f"/posts/{post_id}/repost")
            quoted = await reader.post("/posts", json={"text": "x", "quoted_id": post_id})
            if relation == "anonymous":
                assert (reposted.status_code, quoted.status_code) == (401, 401)
            elif seen and audience is Audience.PUBLIC:
                assert (reposted.status_code, quoted.status_code) == (200, 201)
            else:
                assert reposted.status_code == (403 if seen else 404), (relation, audience)
                unknown = await reader.post("/posts", json={"text": "x", "quoted_id": UNKNOWN})
                assert quoted.status_code == unknown.status_code == 422
                assert quoted.json()["errors"] == unknown.json()["errors"]
                assert quoted.json()["errors"][0]["field"] == "quoted_id"


async def test_what_is_shared_honours_its_present_audience_for_each_reader(scenario: Scenario) -> None:
    """Somebody whom everybody sees has quoted and reposted a post whose audience is changed afterwards."""
    sharer = await scenario.environment.member("sharer")
    author = scenario.author
    for audience in Audience:
        post = await _publish(author, "Hi")
        quote = await _publish(sharer, "Look #look", quoted_id=post["id"])
        repost = await _repost(sharer, post["id"])
        list_id = scenario.list_id if audience is Audience.LIST else None
        changed = await author.patch(f"/posts/{post['id']}", json={"audience": audience, "list_id": list_id})
        assert changed.status_code == 200
        for relation, stands in RELATIONS.items():
            reader = scenario.readers[relation]
            listed = (await reader.get("/profiles/sharer/posts")).json()["items"]
            tagged = (await reader.get("/hashtags/look/posts")).json()["items"]
            for shown in (quote, repost):
                found = await _get(reader, shown)
                assert (found["shared"]["post"] is not None) == may_see(stands, audience), (relation, audience)
                assert found in listed
                assert (found in tagged) == (shown is quote)
                if found["shared"]["post"] is None:
                    assert author.id not in str(found)


async def test_a_block_parts_quotes_and_undoes_reposts(entativa: Environment) -> None:
    ada, bob, eve = [await entativa.member(name) for name in ("ada", "bob", "eve")]
    post = await _publish(ada, "Hi")
    quote = await _publish(bob, "Look", quoted_id=post["id"])
    repost = await _repost(bob, post["id"])
    of_bob = await _publish(bob, "Hi")
    await _repost(ada, of_bob["id"])
    others = await _repost(eve, post["id"])
    assert (await ada.put("/blocks/bob")).is_success
    for reader in (bob, eve, entativa.anonymous):
        assert (await _get(reader, quote))["shared"] == GONE
        assert (await reader.get(f"/posts/{repost['id']}")).status_code == 404
    assert [item["text"] for item in (await ada.get("/profiles/ada/posts")).json()["items"]] == ["Hi"]
    assert (await _get(eve, others))["shared"]["post"] is not None
    assert (await ada.delete("/blocks/bob")).is_success
    assert (await _get(eve, quote))["shared"]["post"] is not None


async def test_an_author_who_is_gone_is_gone_from_what_is_shared(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    post = await _publish(ada, "Hi")
    quote = await _publish(bob, "Look", quoted_id=post["id"])
    assert (await ada.post("/account/deactivate", json={"password": PASSWORD})).is_success
    for reader in (bob, entativa.anonymous):
        assert (await _get(reader, quote))["shared"] == GONE
    entativa.clock.advance(timedelta(seconds=1))
    await entativa.log_in("ada")
    assert (await _get(bob, quote))["shared"] == quote["shared"]


async def test_reposts_and_quotes_are_counted(entativa: Environment) -> None:
    ada, bob, eve = [await entativa.member(name) for name in ("ada", "bob", "eve")]
    post = await _publish(ada, "Hi")
    assert (post["reposts"], post["quotes"], post["reposted"]) == (0, 0, False)
    for _ in range(2):
        await _repost(bob, post["id"])
    quotes = [await _publish(bob, "x", quoted_id=post["id"], audience=audience) for audience in ("public", "only_me")]
    assert await _counted(bob, post) == (1, 1, True)
    for reader in (ada, eve, entativa.anonymous):
        assert await _counted(reader, post) == (1, 1, False)
    for audience, quoted in (("only_me", 2), ("public", 1), ("public", 1), ("connections", 0)):
        changed = quotes[1] if audience == "only_me" else quotes[0]
        visible = "public" if audience == "only_me" else audience
        assert (await bob.patch(f"/posts/{changed['id']}", json={"audience": visible})).is_success
        if audience == "public":
            assert (await bob.patch(f"/posts/{quotes[1]['id']}", json={"audience": "only_me"})).is_success
        assert await _counted(bob, post) == (1, quoted, True), audience
    draft = (await bob.post("/drafts", json={"text": "x", "quoted_id": post["id"]})).json()
    assert await _counted(bob, post) == (1, 0, True)
    assert (await bob.post(f"/drafts/{draft['id']}/publication")).is_success
    assert await _counted(bob, post) == (1, 1, True)
    assert (await bob.delete(f"/posts/{draft['id']}")).is_success
    for _ in range(2):
        assert (await bob.delete(f"/posts/{post['id']}/repost")).is_success
    assert await _counted(bob, post) == (0, 0, False)


async def test_counts_of_shares_are_exact_whoever_shares_at_once(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    people = [await entativa.member(f"person_{number}") for number in range(6)]
    post = await _publish(ada, "Hi")
    path = f"/posts/{post['id']}/repost"
    await asyncio.gather(*(person.put(path) for person in people for _ in range(2)))
    assert await _counted(people[0], post) == (6, 0, True)
    await asyncio.gather(*(person.delete(path) for person in people[:4] for _ in range(2)))
    assert await _counted(people[0], post) == (2, 0, False)
    assert (await ada.put(f"/blocks/{people[5].username}")).is_success
    assert await _counted(ada, post) == (1, 0, False)
    assert (await ada.delete(f"/posts/{post['id']}")).is_success
    await entativa.drain()
    assert await entativa.platform.database.pool.fetchval("select count(*) from target_counts") == 0


async def test_who_reposted_a_post(entativa: Environment) -> None:
    ada, bob, eve, mia = [await entativa.member(name) for name in ("ada", "bob", "eve", "mia")]
    post = await _publish(ada, "Hi")
    path, reposts = f"/posts/{post['id']}/reposts", {}
    for person in (bob, eve):
        entativa.clock.advance(timedelta(seconds=1))
        reposts[person.username] = (await _repost(person, post["id"]))["id"]

    async def listed(reader: Member) -> list[str]:
        answer = await reader.get(path)
        assert answer.status_code == 200, answer.text
        items = answer.json()["items"]
        assert all(item["repost_id"] == reposts[item["person"]["username"]] for item in items)
        return [item["person"]["username"] for item in items]

    for reader in (ada, bob, mia, entativa.anonymous):
        assert await listed(reader) == ["eve", "bob"]
    first = (await mia.get(f"{path}?limit=1")).json()
    second = (await mia.get(f"{path}?cursor={first['next_cursor']}")).json()
    assert [item["person"]["username"] for item in second["items"]] == ["bob"]
    assert (await mia.put("/blocks/eve")).is_success
    assert (await listed(mia), await listed(eve)) == (["bob"], ["eve", "bob"])
    assert (await _get(mia, post))["reposts"] == 2
    assert (await bob.post("/account/deactivate", json={"password": PASSWORD})).is_success
    assert (await listed(mia), await listed(ada)) == ([], ["eve"])
    assert (await ada.patch(f"/posts/{post['id']}", json={"audience": "only_me"})).is_success
    assert await listed(ada) == ["eve"]
    assert (await eve.get(path)).json()["code"] == "no_such_post"


async def _quoting(reader: Member, post: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await reader.get(f"/posts/{post['id']}/quotes")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_quotes_are_listed_to_those_who_may_see_them(scenario: Scenario) -> None:
    """The author of the scenario quotes a post of somebody whom everybody sees."""
    quoted = await scenario.environment.member("quoted")
    post = await _publish(quoted, "Hi")
    quotes = {}
    for audience in Audience:
        list_id = scenario.list_id if audience is Audience.LIST else None
        scenario.environment.clock.advance(timedelta(seconds=1))
        quotes[audience] = await _publish(
            scenario.author, "Look", quoted_id=post["id"], audience=audience, list_id=list_id
        )
    for relation, stands in RELATIONS.items():
        reader = scenario.readers[relation]
        listed = await _quoting(reader, post)
        expected = [quotes[audience] for audience in reversed(Audience) if may_see(stands, audience)]
        assert [item["id"] for item in listed] == [quote["id"] for quote in expected], relation
        assert listed == [await _get(reader, quote) for quote in expected]


async def test_quotes_of_a_post_in_pages(entativa: Environment) -> None:
    ada, bob, eve, mia = [await entativa.member(name) for name in ("ada", "bob", "eve", "mia")]
    post = await _publish(ada, "Hi")
    path = f"/posts/{post['id']}/quotes"
    quotes: list[str] = []
    for author in (bob, eve, bob, mia, eve):
        entativa.clock.advance(timedelta(seconds=1))
        quotes.insert(0, (await _publish(author, "Look", quoted_id=post["id"]))["id"])
    await _repost(bob, post["id"])
    seen: list[str] = []
    query = "?limit=2"
    while query:
        page = await mia.get(f"{path}{query}")
        assert entativa.statements(page) == 3, "the post; its quotes; what they show of it"
        seen += [item["id"] for item in page.json()["items"]]
        query = f"?limit=2&cursor={page.json()['next_cursor']}" if page.json()["next_cursor"] else ""
    assert seen == quotes
    assert await _quoting(bob, await _publish(bob, "Nobody quotes this")) == []

    def of(*authors: Member) -> list[str]:
        return [author.username for author in authors]

    async def authors(reader: Member) -> list[str]:
        return [item["author"]["username"] for item in await _quoting(reader, post)]

    assert (await mia.put("/blocks/eve")).is_success
    assert (await authors(mia), await authors(bob)) == (of(mia, bob, bob), of(eve, mia, bob, eve, bob))
    assert (await ada.put("/blocks/bob")).is_success
    for reader in (ada, eve, entativa.anonymous):
        assert "bob" not in await authors(reader), "his quotes do not show the post"
    assert (await bob.get(path)).json()["code"] == "no_such_post"
    assert (await eve.post("/account/deactivate", json={"password": PASSWORD})).is_success
    assert await authors(ada) == of(mia)
    assert (await ada.delete(f"/posts/{post['id']}")).status_code == 204
    assert (await mia.get(path)).json()["code"] == "no_such_post"


async def test_quotes_that_others_may_not_see_do_not_slow_the_list_down(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    post = await _publish(ada, "Hi")
    quote = await _publish(ada, "Look", quoted_id=post["id"])
    pool = entativa.platform.database.pool
    await pool.execute(_HIDDEN, UUID(bob.id), UUID(post["id"]), 3_000)
    await pool.execute("analyze")
    for reader in (None, UUID(ada.id)):
        explain = f"explain (analyze, buffers, format json) {_QUOTES}"
        found = await pool.fetchval(explain, UUID(post["id"]), reader, None, None, 51, UUID(ada.id))
        assert found[0]["Plan"]["Shared Hit Blocks"] + found[0]["Plan"]["Shared Read Blocks"] < 300
    assert [item["id"] for item in await _quoting(entativa.anonymous, post)] == [quote["id"]]
    assert len(await _quoting(bob, post)) == 50


_HIDDEN = """
insert into posts (id, author_id, text, audience, created_at, quoted_id)
select gen_random_uuid(), $1, 'x', 'only_me', now() + number * interval '1 ms', $2
from generate_series(1, $3::int) as number
"""


async def test_the_poll_of_a_quoted_post_is_shown_in_the_quote(entativa: Environment) -> None:
    ada, bob, eve = [await entativa.member(name) for name in ("ada", "bob", "eve")]
    poll = {"options": ["a", "b"], "duration_s": 3600}
    post = await _publish(ada, "Hi", poll=poll)
    quote = await _publish(bob, "Look", quoted_id=post["id"], poll={"options": ["c", "d"], "duration_s": 3600})
    repost = await _repost(eve, post["id"])
    assert quote["shared"]["post"]["poll"] == repost["shared"]["post"]["poll"] == post["poll"] != quote["poll"]
    assert (await eve.put(f"/posts/{post['id']}/poll/vote", json={"choices": [1]})).is_success
    for reader, choices in ((eve, [1]), (bob, None), (entativa.anonymous, None)):
        for shown in (quote, repost):
            found = (await _get(reader, shown))["shared"]["post"]["poll"]
            assert found == (await _get(reader, post))["poll"]
            assert found["own_choices"] == choices
        assert (await _get(reader, quote))["poll"]["own_choices"] is None
