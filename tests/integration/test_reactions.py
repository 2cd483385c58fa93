"""Reactions over HTTP: one a person per target, in every view of a post, exact whatever happens at once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from features.accounts.erasure import erase_due_accounts
from features.accounts.policy import AccountPolicy
from features.counters.model import REACTION_KINDS
from tests.support.environment import PASSWORD, Environment
from tests.support.member import Member
from tests.support.people import add_people
from tests.support.stored_counts import compare_counts

UNKNOWN = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
def environment(vignette: Environment) -> Environment:
    return vignette


def shown(own: str | None = None, **counts: int) -> dict[str, Any]:
    """Reactions as they are shown."""
    return {"total": sum(counts.values()), "counts": dict.fromkeys(REACTION_KINDS, 0) | counts, "own": own}


async def publish(author: Member, text: str = "On my way to #lisbon") -> str:
    answer = await author.post("/posts", json={"text": text})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def react(reader: Member, post_id: str, kind: str | None) -> Any:
    """Reacts, or takes the reaction back. Returns what a PUT answers."""
    path = f"/posts/{post_id}/reaction"
    answer = await (reader.put(path, json={"kind": kind}) if kind else reader.delete(path))
    assert answer.is_success, answer.text
    return answer.json() if kind else None


async def reactors(reader: Member, post_id: str, **params: Any) -> list[tuple[str, str]]:
    answer = await reader.get(f"/posts/{post_id}/reactions", params=params)
    assert answer.status_code == 200, answer.text
    return [(item["person"]["username"], item["kind"]) for item in answer.json()["items"]]


async def views(reader: Member, author: str, post_id: str) -> list[dict[str, Any]]:
    """The reactions to a post in every view of it."""
    pages = [await reader.get(path) for path in (f"/profiles/{author}/posts", "/hashtags/lisbon/posts")]
    if reader.username:
        pages.append(await reader.get("/feed"))
    items = [(await reader.get(f"/posts/{post_id}")).json()]
    items += [item for page in pages for item in page.json()["items"] if item["id"] == post_id]
    assert len(items) == len(pages) + 1
    return [item["reactions"] for item in items]


async def changes(environment: Environment) -> list[dict[str, Any]]:
    """The changes of reactions that were published."""
    rows = await environment.platform.database.pool.fetch(
        """
        select 1 as part, position, type, payload from event_log
        union all select 2, id, type, payload from outbox order by part, position
        """
    )
    published = [row["payload"] for row in rows if row["type"] == "counters.reactions_changed"]
    return [change for payload in published for change in payload["changes"]]


async def test_a_person_has_one_reaction_in_every_view(environment: Environment) -> None:
    ada, bob = await environment.member("ada"), await environment.member("bob")
    await ada.put("/follows/bob")
    post_id = await publish(bob)
    await environment.drain()
    assert await views(ada, "bob", post_id) == [shown()] * 4
    assert await react(ada, post_id, "like") == shown("like", like=1)
    assert await react(ada, post_id, "love") == shown("love", love=1)
    assert await react(ada, post_id, "love") == shown("love", love=1)
    assert await react(bob, post_id, "love") == shown("love", love=2)
    assert await views(ada, "bob", post_id) == [shown("love", love=2)] * 4
    assert await views(environment.anonymous, "bob", post_id) == [shown(None, love=2)] * 3
    for _ in range(2):
        await react(ada, post_id, None)
        assert await views(ada, "bob", post_id) == [shown(None, love=1)] * 4
        assert await views(bob, "bob", post_id) == [shown("love", love=1)] * 4
    assert (await bob.patch(f"/posts/{post_id}", json={"text": "Back from #lisbon"})).json()["reactions"]["total"] == 1
    published = await changes(environment)
    assert [(change["account_id"], change["previous"], change["kind"]) for change in published] == [
        (ada.id, None, "like"),
        (ada.id, "like", "love"),
        (bob.id, None, "love"),
        (ada.id, "love", None),
    ]


async def test_who_reacted_newest_first_and_by_kind(environment: Environment) -> None:
    author, post_id = await environment.member("author"), ""
    post_id = await publish(author)
    for number, kind in enumerate(("like", "love", "like")):
        environment.clock.advance(timedelta(seconds=1))
        await react(await environment.member(f"fan{number}"), post_id, kind)
    everybody = [("fan2", "like"), ("fan1", "love"), ("fan0", "like")]
    assert await reactors(environment.anonymous, post_id) == everybody
    assert await reactors(author, post_id, kind="like") == [everybody[0], everybody[2]]
    first = (await author.get(f"/posts/{post_id}/reactions", params={"limit": 2})).json()
    assert await reactors(author, post_id, limit=2, cursor=first["next_cursor"]) == [everybody[2]]
    answer = await author.get(f"/posts/{post_id}/reactions")
    assert environment.statements(answer) == 2, "the post; who reacted"


async def test_who_is_apart_is_not_listed(environment: Environment) -> None:
    author, ada, bob = [await environment.member(name) for name in ("author", "ada", "bob")]
    post_id = await publish(author)
    for person in (ada, bob):
        await react(person, post_id, "sad")
    for blocker, blocked in ((ada, bob), (bob, ada)):
        assert (await blocker.put(f"/blocks/{blocked.username}")).is_success
        assert await reactors(ada, post_id) == [("ada", "sad")]
        assert await reactors(bob, post_id) == [("bob", "sad")]
        assert (await blocker.delete(f"/blocks/{blocked.username}")).is_success
    assert (await ada.post("/account/deactivate", json={"password": PASSWORD})).is_success
    for reader in (environment.anonymous, author):
        assert await reactors(reader, post_id) == [("bob", "sad")]
        assert (await reader.get(f"/posts/{post_id}")).json()["reactions"]["total"] == 2, "counts are everybody's"


async def test_bad_input_is_named(environment: Environment) -> None:
    ada = await environment.member("ada")
    post_id = await publish(ada)
    for body, field in (({"kind": "dislike"}, "kind"), ({}, "kind"), ({"kind": "like", "x": 1}, "x")):
        refused = await ada.put(f"/posts/{post_id}/reaction", json=body)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field)
    refused = await ada.get(f"/posts/{post_id}/reactions", params={"kind": "dislike"})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "kind")
    unknown = await ada.put(f"/posts/{UNKNOWN}/reaction", json={"kind": "like"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "no_such_post")
    assert await views(ada, "ada", post_id) == [shown()] * 4


async def test_reactions_go_with_their_post_and_with_their_account(environment: Environment) -> None:
    ada, bob = await environment.member("ada"), await environment.member("bob")
    gone, kept = await publish(bob, "gone"), await publish(bob)
    for post_id in (gone, kept):
        await react(ada, post_id, "wow")
        await react(bob, post_id, "wow")
    assert (await bob.delete(f"/posts/{gone}")).is_success
    await environment.drain()
    pool = environment.platform.database.pool
    assert {row[0] for row in await pool.fetch("select target_id from reactions")} == {UUID(kept)}
    assert {row[0] for row in await pool.fetch("select target_id from target_counts")} == {UUID(kept)}

    assert (await ada.post("/account/delete", json={"password": PASSWORD})).status_code == 202
    environment.clock.advance(AccountPolicy().deletion_grace)
    assert await erase_due_accounts(environment.platform) == 1
    await environment.drain()
    bob = await environment.log_in("bob")
    assert await views(bob, "bob", kept) == [shown("wow", wow=1)] * 4


async def test_a_recount_makes_counts_right(environment: Environment) -> None:
    ada = await environment.member("ada")
    post_id = await publish(ada)
    await react(ada, post_id, "haha")
    pool = environment.platform.database.pool
    await pool.execute("update target_counts set count = 7")
    await pool.execute("insert into target_counts values ($1, 'angry', 3, 5)", UUID(post_id))
    assert len(await compare_counts(environment, environment.clock)) == 2
    await environment.drain()
    assert await views(ada, "ada", post_id) == [shown("haha", haha=1)] * 4


async def test_counts_stay_right_whatever_happens_at_once(environment: Environment) -> None:
    """Also where one person reacts from several devices."""
    author = await environment.member("author")
    posts = [await publish(author, str(number)) for number in range(2)]
    fans = [await environment.member(f"fan{number}") for number in range(3)]
    toggles = [(fan, post, kind) for fan in fans for post in posts for kind in ("like", None, "love", None, "like")]
    await asyncio.gather(*(react(*toggle) for toggle in toggles * 3))
    assert await wrong_counts(environment) == []
    for post_id in posts:
        found = (await author.get(f"/posts/{post_id}")).json()["reactions"]["counts"]
        listed = [kind for _, kind in await reactors(author, post_id)]
        assert {kind: count for kind, count in found.items() if count} == {kind: listed.count(kind) for kind in listed}


async def wrong_counts(environment: Environment) -> list[tuple[UUID, str]]:
    """Counts in Postgres that are not those of the rows."""
    rows = await environment.platform.database.pool.fetch(
        """
        with counted as (select target_id, kind as name, count(*) as count from reactions group by 1, 2),
        stored as (select target_id, name, sum(count) as count from target_counts group by 1, 2 having sum(count) <> 0)
        select target_id, name from counted full join stored using (target_id, name)
        where counted.count is distinct from stored.count
        """
    )
    return [(row["target_id"], row["name"]) for row in rows]


async def test_the_list_of_a_popular_post_costs_no_more(environment: Environment) -> None:
    author = await environment.member("author")
    post_id = await publish(author)
    names = await add_people(environment, 30, "fan")
    pool = environment.platform.database.pool
    await pool.execute(
        """insert into reactions select $1, 'post', account_id, 'like', $2::timestamptz - account_rank * interval '1 s'
        from (select account_id, row_number() over (order by username) as account_rank from profiles
            where username like 'fan%') as ranked""",
        UUID(post_id),
        environment.clock(),
    )
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await author.get(f"/posts/{post_id}/reactions", params={"limit": 12, **cursor})
        assert environment.statements(answer) == 2
        seen += [item["person"]["username"] for item in answer.json()["items"]]
        if answer.json()["next_cursor"] is None:
            break
        cursor = {"cursor": answer.json()["next_cursor"]}
    assert seen == sorted(names)


async def test_who_does_not_see_a_post_any_more_takes_a_reaction_back(environment: Environment) -> None:
    author, ada, eve = [await environment.member(name) for name in ("author", "ada", "eve")]
    post_id = await publish(author)
    await react(ada, post_id, "sad")
    assert (await author.put("/blocks/ada")).is_success
    assert (await author.put("/blocks/eve")).is_success
    path = f"/posts/{post_id}/reaction"
    answers = [await person.delete(path) for person in (eve, ada, ada)]
    assert [answer.status_code for answer in answers] == [404, 204, 404]
    assert (await author.get(f"/posts/{post_id}")).json()["reactions"]["total"] == 0
    assert await reactors(author, post_id) == []
