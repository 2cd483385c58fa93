"""Comments over HTTP: nested, paged by level, moderated, and private where their posts are."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from features.accounts.erasure import erase_due_accounts
from features.accounts.policy import AccountPolicy
from features.comments.policy import CommentPolicy
from tests.integration.test_reactions import publish, shown
from tests.support.environment import PASSWORD, Environment
from tests.support.member import Member

UNKNOWN = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
def environment(vignette: Environment) -> Environment:
    return vignette


async def comment(
    environment: Environment, author: Member, post_id: str, text: str = "Nice", parent: str | None = None
) -> str:
    environment.clock.advance(timedelta(milliseconds=7))
    answer = await author.post(f"/posts/{post_id}/comments", json={"text": text, "parent_id": parent})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def texts(reader: Member, path: str, **params: Any) -> list[str | None]:
    """The texts of a level, page by page."""
    found: list[str | None] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await reader.get(path, params={"limit": 2, **params, **cursor})
        assert answer.status_code == 200, answer.text
        found += [item["text"] for item in answer.json()["items"]]
        if answer.json()["next_cursor"] is None:
            return found
        cursor = {"cursor": answer.json()["next_cursor"]}


async def count(reader: Member, post_id: str) -> int:
    found: int = (await reader.get(f"/posts/{post_id}")).json()["comments"]
    return found


async def wrong_counts(environment: Environment) -> int:
    """How many counts in Postgres are not those of the comments that are shown."""
    return int(
        await environment.platform.database.pool.fetchval(
            """
            with counted as (
                select target_id, count(*) as count from (
                    select post_id as target_id from comments where author_id is not null and hidden_at is null
                    union all select parent_id from comments
                    where author_id is not null and hidden_at is null and parent_id is not null
                ) as each group by 1
            ), stored as (
                select target_id, sum(count) as count from target_counts where name = 'comments'
                group by 1 having sum(count) <> 0
            )
            select count(*) from counted full join stored using (target_id)
            where counted.count is distinct from stored.count
            """
        )
    )


async def test_a_thread_is_read_level_by_level(environment: Environment) -> None:
    ada, bob = await environment.member("ada"), await environment.member("bob")
    post_id = await publish(ada)
    answer = await bob.post(f"/posts/{post_id}/comments", json={"text": "See you there, @Ada #lisbon"})
    assert answer.status_code == 201
    made = answer.json()
    assert answer.headers["Location"].endswith(f"/comments/{made['id']}")
    assert made["author"] == {"id": bob.id, "username": "bob", "name": "Bob", "avatar": None}
    assert [(entity["kind"], entity["start"]) for entity in made["entities"]] == [("mention", 15), ("hashtag", 20)]
    assert (made["depth"], made["parent_id"], made["hidden"], made["replies"]) == (1, None, False, 0)
    reply = await comment(environment, ada, post_id, "Yes", made["id"])
    for text in ("two", "three"):
        await comment(environment, bob, post_id, text)
    assert await count(environment.anonymous, post_id) == 4
    level = f"/posts/{post_id}/comments"
    assert await texts(environment.anonymous, level, order="oldest") == ["See you there, @Ada #lisbon", "two", "three"]
    assert await texts(ada, level, order="newest") == ["three", "two", "See you there, @Ada #lisbon"]
    assert await texts(ada, f"/comments/{made['id']}/replies") == ["Yes"]
    read = (await ada.get(f"/comments/{made['id']}")).json()
    assert read == {**made, "replies": 1}
    assert (await ada.get(f"/comments/{reply}")).json()["depth"] == 2
    first = await ada.get(level, params={"order": "newest"})
    assert environment.statements(first) == 3, "the post; its comments; whom they mention"


async def test_by_relevance_what_people_react_and_reply_to_comes_first(environment: Environment) -> None:
    ada, bob = await environment.member("ada"), await environment.member("bob")
    post_id = await publish(ada)
    ids = [await comment(environment, bob, post_id, text) for text in ("zero", "one", "two", "three")]
    reaction = await ada.put(f"/comments/{ids[1]}/reaction", json={"kind": "love"})
    assert reaction.json() == shown("love", love=1)
    await comment(environment, ada, post_id, "reply", ids[0])
    await comment(environment, bob, post_id, "reply", ids[0])
    await environment.drain()
    level = f"/posts/{post_id}/comments"
    assert await texts(ada, level) == ["zero", "one", "three", "two"]
    items = (await ada.get(level)).json()["items"]
    assert [item["reactions"]["own"] for item in items] == [None, "love", None, None]
    listed = (await bob.get(f"/comments/{ids[1]}/reactions")).json()["items"]
    assert [item["person"]["username"] for item in listed] == ["ada"]
    assert (await ada.delete(f"/comments/{ids[1]}/reaction")).status_code == 204
    await environment.drain()
    assert await texts(ada, level) == ["zero", "three", "two", "one"]


async def test_an_edit_and_who_may_do_it(environment: Environment) -> None:
    ada, bob = await environment.member("ada"), await environment.member("bob")
    post_id = await publish(ada)
    made = await comment(environment, bob, post_id, "Nise")
    edited = await bob.patch(f"/comments/{made}", json={"text": "Nice, @ada"})
    assert (edited.status_code, edited.json()["text"], len(edited.json()["entities"])) == (200, "Nice, @ada", 1)
    assert edited.json() == (await ada.get(f"/comments/{made}")).json()
    assert edited.json()["edited_at"] is not None
    for change in (
        ada.patch(f"/comments/{made}", json={"text": "mine"}),
        environment.anonymous.delete(f"/comments/{made}"),
    ):
        assert (await change).status_code in {403, 401}
    assert (await ada.get(f"/comments/{made}")).json()["text"] == "Nice, @ada"


async def test_a_deleted_comment_keeps_the_place_of_its_replies(environment: Environment) -> None:
    ada, bob = await environment.member("ada"), await environment.member("bob")
    post_id = await publish(ada)
    top = await comment(environment, bob, post_id, "top")
    middle = await comment(environment, ada, post_id, "middle", top)
    leaf = await comment(environment, bob, post_id, "leaf", middle)
    await ada.put(f"/comments/{leaf}/reaction", json={"kind": "like"})
    for deleted in (top, middle):
        assert (await ada.delete(f"/comments/{deleted}")).status_code == 204
    tombstone = (await ada.get(f"/posts/{post_id}/comments")).json()["items"]
    assert [(item["author"], item["text"], item["replies"]) for item in tombstone] == [(None, None, 0)]
    assert await texts(bob, f"/comments/{middle}/replies") == ["leaf"]
    assert await count(ada, post_id) == 1
    for path in (f"/comments/{top}/reaction", f"/comments/{top}/hidden"):
        assert (await ada.put(path, json={"kind": "like"})).status_code == 404
    assert (await bob.post(f"/posts/{post_id}/comments", json={"text": "x", "parent_id": top})).status_code == 422
    assert (await bob.delete(f"/comments/{leaf}")).status_code == 204
    await environment.drain()
    pool = environment.platform.database.pool
    assert (await ada.get(f"/posts/{post_id}/comments")).json()["items"] == []
    for table in ("comments", "reactions"):
        assert await pool.fetchval(f"select count(*) from {table}") == 0
    assert await wrong_counts(environment) == 0


async def test_bad_input_names_its_field_and_leaves_nothing(environment: Environment) -> None:
    ada, post_id = await environment.member("ada"), ""
    post_id, other = await publish(ada), await publish(ada)
    elsewhere = await comment(environment, ada, other)
    for body, field, code in (
        ({"text": ""}, "text", "empty"),
        ({"text": "x" * 2_001}, "text", "too_long"),
        ({"text": "x" * 10_000}, "text", None),
        ({"text": "😀" * 51}, "text", "too_many_emoji"),
        ({"text": "\n".join("x" * 50)}, "text", "too_many_lines"),
        ({"text": "q" + "\u0315\u0323\u0300" * 9}, "text", "too_many_marks"),
        ({"text": " ".join(f"@member{n}" for n in range(21))}, "text", "too_many_people_mentioned"),
        ({"text": "x", "parent_id": UNKNOWN}, "parent_id", "no_such_parent"),
        ({"text": "x", "parent_id": elsewhere}, "parent_id", "no_such_parent"),
        ({"text": "x", "parent_id": "x"}, "parent_id", None),
        ({"text": "x", "level": 3}, "level", None),
    ):
        refused = await ada.post(f"/posts/{post_id}/comments", json=body)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field), refused.text
        assert code is None or refused.json()["errors"][0]["code"] == code
    refused = await ada.get(f"/posts/{post_id}/comments", params={"order": "best"})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "order")
    assert await count(ada, post_id) == 0


async def test_nesting_ends_at_the_policy_s_depth(environment: Environment) -> None:
    ada, parent = await environment.member("ada"), None
    post_id = await publish(ada)
    for _ in range(CommentPolicy().max_depth):
        parent = await comment(environment, ada, post_id, parent=parent)
    refused = await ada.post(f"/posts/{post_id}/comments", json={"text": "x", "parent_id": parent})
    assert (refused.status_code, refused.json()["code"]) == (422, "too_deep")
    assert refused.json()["errors"][0]["field"] == "parent_id"


async def test_the_author_of_a_post_moderates(environment: Environment) -> None:
    ada, bob, eve = [await environment.member(name) for name in ("ada", "bob", "eve")]
    post_id = await publish(ada)
    made = await comment(environment, bob, post_id, "hm")
    reply = await comment(environment, eve, post_id, "hm!", made)
    assert (await eve.put(f"/comments/{made}/hidden")).status_code == 403
    for _ in range(2):
        assert (await ada.put(f"/comments/{made}/hidden")).status_code == 204
    assert await count(eve, post_id) == 1
    for reader, sees in ((ada, True), (bob, True), (eve, False), (environment.anonymous, False)):
        assert await texts(reader, f"/posts/{post_id}/comments") == (["hm"] if sees else [])
        for path in (f"/comments/{made}", f"/comments/{made}/replies", f"/comments/{made}/reactions"):
            assert (await reader.get(path)).status_code == (200 if sees else 404)
    refused = await eve.post(f"/posts/{post_id}/comments", json={"text": "x", "parent_id": made})
    assert refused.json()["code"] == "no_such_parent"
    assert (await ada.delete(f"/comments/{made}/hidden")).status_code == 204
    assert await texts(eve, f"/posts/{post_id}/comments") == ["hm"]
    assert (await ada.delete(f"/comments/{reply}")).status_code == 204
    assert (await eve.delete(f"/comments/{made}")).status_code == 403
    assert await wrong_counts(environment) == 0
    assert await count(eve, post_id) == 1


async def test_commenting_can_be_restricted(environment: Environment) -> None:
    ada, bob, eve = [await environment.member(name) for name in ("ada", "bob", "eve")]
    assert (await bob.put("/follows/ada")).is_success
    post_id = await publish(ada)
    path, body = f"/posts/{post_id}/comments", {"text": "x"}
    mine = await comment(environment, eve, post_id)
    assert (await eve.put(f"/posts/{post_id}/commenters", json={"commenters": "nobody"})).status_code == 403
    for commenters, allowed in (
        ("connections", {"ada", "bob"}),
        ("nobody", {"ada"}),
        ("everybody", {"ada", "bob", "eve"}),
    ):
        assert (await ada.put(f"/posts/{post_id}/commenters", json={"commenters": commenters})).status_code == 200
        assert (await environment.anonymous.get(f"/posts/{post_id}/commenters")).json() == {"commenters": commenters}
        for person in (ada, bob, eve):
            answer = await person.post(path, json=body)
            assert answer.status_code == (201 if person.username in allowed else 403), (commenters, person.username)
            assert answer.is_success or answer.json()["code"] == "commenting_restricted"
        edited = await eve.patch(f"/comments/{mine}", json={"text": "y"})
        assert edited.status_code == (200 if "eve" in allowed else 403)
    assert (await environment.anonymous.post(path, json=body)).status_code == 401


async def test_filtered_words_hide_comments(environment: Environment) -> None:
    ada, bob, eve = [await environment.member(name) for name in ("ada", "bob", "eve")]
    assert (await ada.get("/comment-filters")).json() == {"words": []}
    answer = await ada.put("/comment-filters", json={"words": ["Spoiler", "spoiler "]})
    assert answer.json() == (await ada.get("/comment-filters")).json() == {"words": ["spoiler"]}
    refused = await ada.put("/comment-filters", json={"words": [" "]})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "words")
    post_id = await publish(ada)
    hidden = await comment(environment, bob, post_id, "SPOILER: they marry")
    fine = await comment(environment, bob, post_id, "no news")
    await comment(environment, ada, post_id, "my own spoiler")
    assert set(await texts(eve, f"/posts/{post_id}/comments")) == {"no news", "my own spoiler"}
    assert (await ada.get(f"/comments/{hidden}")).json()["hidden"] is True
    assert (await bob.patch(f"/comments/{fine}", json={"text": "a spoiler, too"})).json()["hidden"] is True
    assert await texts(eve, f"/posts/{post_id}/comments") == ["my own spoiler"]
    assert (await count(eve, post_id), await wrong_counts(environment)) == (1, 0)


async def test_who_is_apart_is_not_there(environment: Environment) -> None:
    author, ada, bob = [await environment.member(name) for name in ("author", "ada", "bob")]
    post_id = await publish(author)
    of_bob = await comment(environment, bob, post_id, "of bob")
    below = await comment(environment, ada, post_id, "of ada to @bob", of_bob)
    for blocker, blocked in ((ada, bob), (bob, ada)):
        assert (await blocker.put(f"/blocks/{blocked.username}")).is_success
        assert await texts(ada, f"/posts/{post_id}/comments") == []
        assert await texts(author, f"/posts/{post_id}/comments") == ["of bob"]
        unknown = await ada.get(f"/comments/{UNKNOWN}")
        for path in (f"/comments/{of_bob}", f"/comments/{of_bob}/replies", f"/comments/{of_bob}/reactions"):
            hidden = await ada.get(path)
            assert (hidden.status_code, hidden.json()["code"]) == (404, unknown.json()["code"])
        assert (await ada.get(f"/comments/{below}")).json()["entities"] == [], "a mention of nobody is plain text"
        assert (await bob.get(f"/comments/{below}")).status_code == 404
        assert (await blocker.delete(f"/blocks/{blocked.username}")).is_success
    assert (await bob.post("/account/deactivate", json={"password": PASSWORD})).is_success
    for reader in (author, environment.anonymous):
        assert await texts(reader, f"/posts/{post_id}/comments") == []


async def test_comments_go_with_their_author_and_with_their_post(environment: Environment) -> None:
    ada, bob = await environment.member("ada"), await environment.member("bob")
    kept, gone = await publish(bob), await publish(bob)
    for post_id in (kept, gone):
        top = await comment(environment, ada, post_id, "of ada")
        await comment(environment, bob, post_id, "of bob", top)
        await comment(environment, ada, post_id, "also of ada")
        await bob.put(f"/comments/{top}/reaction", json={"kind": "wow"})
    assert (await bob.put(f"/posts/{gone}/commenters", json={"commenters": "nobody"})).is_success
    assert (await bob.delete(f"/posts/{gone}")).is_success
    await environment.drain()
    pool = environment.platform.database.pool
    assert {row[0] for row in await pool.fetch("select distinct post_id from comments")} == {UUID(kept)}
    assert await pool.fetchval("select count(*) from reactions") == 1

    assert (await ada.post("/account/delete", json={"password": PASSWORD})).status_code == 202
    environment.clock.advance(AccountPolicy().deletion_grace)
    assert await erase_due_accounts(environment.platform, limit=1) == 1
    await environment.drain()
    bob = await environment.log_in("bob")
    assert (await count(bob, kept), await wrong_counts(environment)) == (1, 0)
    (tombstone,) = (await bob.get(f"/posts/{kept}/comments")).json()["items"]
    assert (tombstone["author"], tombstone["text"], tombstone["replies"]) == (None, None, 1)


async def test_counts_and_places_stay_right_whatever_happens_at_once(environment: Environment) -> None:
    people = [await environment.member(f"person{number}") for number in range(3)]
    post_id = await publish(people[0])
    for _ in range(3):
        top = await comment(environment, people[0], post_id)
        answers = await asyncio.gather(
            *(p.post(f"/posts/{post_id}/comments", json={"text": "x", "parent_id": top}) for p in people * 3)
        )
        made = [(person, answer.json()["id"]) for person, answer in zip(people * 3, answers, strict=True)]
        await asyncio.gather(
            people[0].delete(f"/comments/{top}"),
            *(person.delete(f"/comments/{id}") for person, id in made),
            *(people[0].put(f"/comments/{id}/hidden") for _, id in made),
            *(p.post(f"/posts/{post_id}/comments", json={"text": "y", "parent_id": top}) for p in people),
        )
        assert await wrong_counts(environment) == 0
    empty = await environment.platform.database.pool.fetchval(
        """
        select count(*) from comments where author_id is null
        and not exists (select from comments as reply where reply.parent_id = comments.id)
        """
    )
    assert empty == 0, "places that nothing is left to keep"


async def test_a_comment_that_is_sent_twice_is_there_once(environment: Environment) -> None:
    ada = await environment.member("ada")
    post_id = await publish(ada)
    headers = {"Idempotency-Key": "the same comment"}
    answers = [await ada.post(f"/posts/{post_id}/comments", json={"text": "x"}, headers=headers) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert await count(ada, post_id) == 1


async def test_who_does_not_see_a_post_any_more_takes_a_comment_back(environment: Environment) -> None:
    ada, bob, eve = [await environment.member(name) for name in ("ada", "bob", "eve")]
    post_id = await publish(ada)
    made = [await comment(environment, bob, post_id, text) for text in ("my phone is 123", "and 456")]
    assert (await ada.put("/blocks/bob")).is_success
    assert (await bob.patch(f"/comments/{made[0]}", json={"text": "x"})).status_code == 404
    assert (await bob.delete(f"/comments/{made[0]}")).status_code == 204
    assert (await bob.delete(f"/comments/{made[0]}")).status_code == 404
    assert await texts(eve, f"/posts/{post_id}/comments") == ["and 456"]
    assert (await ada.delete("/blocks/bob")).is_success
    assert (await ada.patch(f"/posts/{post_id}", json={"audience": "only_me"})).is_success
    for person, status in ((eve, 404), (bob, 204)):
        assert (await person.delete(f"/comments/{made[1]}")).status_code == status
    assert await count(ada, post_id) == 0
    await environment.drain()
    assert await wrong_counts(environment) == 0
