"""Drafts and scheduled posts over HTTP, and their publication."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from cluster.postgres import UnitOfWork
from features.posts.policy import PostPolicy
from features.posts.scheduling import publish_due, run_schedule
from tests.support.environment import PASSWORD, Environment
from tests.support.files import file_of
from tests.support.member import Member
from tests.support.uploads import upload

UNKNOWN = "00000000-0000-7000-8000-000000000000"


def _in(environment: Environment, **ahead: float) -> str:
    return (environment.clock() + timedelta(**ahead)).isoformat()


async def _draft(author: Member, text: str = "Hi #later", **more: Any) -> dict[str, Any]:
    answer = await author.post("/drafts", json={"text": text, **more})
    assert answer.status_code == 201, answer.text
    draft: dict[str, Any] = answer.json()
    assert answer.headers["Location"] == f"/v1/drafts/{draft['id']}"
    return draft


async def _posts(reader: Member, author: str = "ada") -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await reader.get(f"/profiles/{author}/posts")).json()["items"]
    return items


async def test_a_draft_is_kept_changed_and_deleted(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    quoted = (await ada.post("/posts", json={"text": "x"})).json()
    whole = {
        "text": "Hi @ada",
        "audience": "only_me",
        "content_warning": "Long",
        "place": {"name": "Lisbon", "latitude": 38.722, "longitude": -9.139},
        "poll": {"options": ["a", "b"], "multiple": True, "duration_s": 3600},
        "quoted_id": quoted["id"],
        "media": [{"id": await upload(entativa, ada, file_of(1000)), "alt": "A tram"}],
        "publish_at": None,
    }
    draft = await _draft(ada, **whole)
    assert {name: draft[name] for name in whole} == whole
    assert (draft["problem"], draft["list_id"]) == (None, None)
    assert (await ada.get(f"/drafts/{draft['id']}")).json() == draft
    entativa.clock.advance(timedelta(seconds=1))
    scheduled = await _draft(ada, "Soon", publish_at=_in(entativa, hours=1))
    for query, expected in (("", [scheduled, draft]), ("?scheduled=true", [scheduled]), ("?scheduled=false", [draft])):
        assert (await ada.get(f"/drafts{query}")).json() == {"items": expected, "next_cursor": None}
    first = (await ada.get("/drafts?limit=1")).json()
    assert (await ada.get("/drafts", params={"cursor": first["next_cursor"]})).json()["items"] == [draft]
    replaced = await ada.put(f"/drafts/{draft['id']}", json={"text": "Shorter"})
    assert replaced.status_code == 200
    assert (replaced.json()["text"], replaced.json()["poll"]) == ("Shorter", None)
    assert (replaced.json()["audience"], replaced.json()["created_at"]) == ("public", draft["created_at"])
    assert (await ada.delete(f"/drafts/{draft['id']}")).status_code == 204
    assert (await ada.delete(f"/drafts/{draft['id']}")).status_code == 404
    assert (await ada.get("/drafts")).json()["items"] == [scheduled]


async def test_a_draft_is_its_authors_alone(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    draft = await _draft(ada, "Hi #later @bob", publish_at=_in(entativa, hours=1))
    path = f"/drafts/{draft['id']}"
    for reader, status in ((bob, 404), (entativa.anonymous, 401)):
        for method, end in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/publication")):
            body = {"json": {"text": "mine"}} if method == "PUT" else {}
            answer = await reader.request(method, path + end, **body)
            assert answer.status_code == status, (method, end)
    assert (await bob.get("/drafts")).json()["items"] == []
    for reader in (ada, bob, entativa.anonymous):
        assert (await reader.get(f"/posts/{draft['id']}")).status_code == 404
        assert (await reader.get(f"/posts/{draft['id']}/history")).status_code == 404
        assert await _posts(reader) == []
        assert (await reader.get("/hashtags/later/posts")).json()["items"] == []
    await entativa.drain()
    assert (await ada.get("/hashtags/later")).json()["posts"] == 0
    assert (await ada.get("/feed")).json()["items"] == []
    assert (await ada.get(path)).json() == draft


async def test_a_scheduled_post_is_published_at_its_time(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    poll = {"options": ["a", "b"], "duration_s": 3600}
    draft = await _draft(ada, "Hi #later @bob", poll=poll, place={"name": "x"}, publish_at=_in(entativa, hours=1))
    entativa.clock.advance(timedelta(minutes=59, seconds=59))
    assert await publish_due(entativa.platform) == 0
    entativa.clock.advance(timedelta(seconds=1))
    assert [await publish_due(entativa.platform) for _ in range(2)] == [1, 0]
    ada, bob = await entativa.log_in("ada"), await entativa.log_in("bob")
    (post,) = await _posts(bob)
    assert post["id"] == draft["id"]
    assert datetime.fromisoformat(post["created_at"]) == entativa.clock()
    assert datetime.fromisoformat(post["poll"]["closes_at"]) == entativa.clock() + timedelta(hours=1)
    assert [entity["kind"] for entity in post["entities"]] == ["hashtag", "mention"]
    assert (post["place"]["name"], post["text"]) == ("x", draft["text"])
    assert (await ada.get("/drafts")).json()["items"] == []
    assert (await ada.get(f"/drafts/{draft['id']}")).status_code == 404
    assert (await bob.get("/hashtags/later/posts")).json()["items"] == [post]
    await entativa.drain()
    assert (await bob.get("/hashtags/later")).json()["posts"] == 1
    assert (await bob.put(f"/posts/{post['id']}/poll/vote", json={"choices": [1]})).status_code == 200


async def test_a_draft_is_published_on_request_and_a_schedule_can_be_moved(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    draft = await _draft(ada, poll={"options": ["a", "b"], "duration_s": 3600}, publish_at=_in(entativa, hours=1))
    path = f"/drafts/{draft['id']}"
    moved = await ada.put(path, json={"text": "Hi", "publish_at": _in(entativa, hours=2)})
    assert moved.status_code == 200
    entativa.clock.advance(timedelta(hours=1))
    ada = await entativa.log_in("ada")
    assert await publish_due(entativa.platform) == 0
    assert (await ada.put(path, json={"text": "Hi"})).json()["publish_at"] is None
    entativa.clock.advance(timedelta(hours=1))
    ada = await entativa.log_in("ada")
    assert await publish_due(entativa.platform) == 0
    post = await ada.post(f"{path}/publication")
    assert (post.status_code, post.headers["Location"]) == (201, f"/v1/posts/{draft['id']}")
    assert await _posts(ada) == [post.json()]
    assert (await ada.post(f"{path}/publication")).status_code == 404


async def test_what_cannot_be_published_any_more_stays_a_draft(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    list_id = (await ada.post("/lists", json={"name": "ours"})).json()["id"]
    await ada.put(f"/lists/{list_id}/members/bob")
    body = {"audience": "list", "list_id": list_id}
    draft = await _draft(ada, **body, publish_at=_in(entativa, minutes=2))
    fine = await _draft(ada, publish_at=_in(entativa, minutes=2))
    assert (await ada.delete(f"/lists/{list_id}")).status_code == 204
    path = f"/drafts/{draft['id']}"
    entativa.clock.advance(timedelta(minutes=2))
    assert await publish_due(entativa.platform) == 1
    assert [post["id"] for post in await _posts(ada)] == [fine["id"]]
    kept = (await ada.get(path)).json()
    assert (kept["problem"], kept["publish_at"], kept["text"]) == ("unknown_list", None, draft["text"])
    for answer in (
        await ada.post(f"{path}/publication"),
        await ada.put(path, json={"text": "x", **body}),
        await ada.post("/drafts", json={"text": "x", **body}),
    ):
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "list_id")
    corrected = await ada.put(path, json={"text": "x", "publish_at": _in(entativa, minutes=2)})
    assert corrected.json()["problem"] is None
    assert await _posts(bob) == await _posts(ada)


async def test_nothing_is_published_for_whoever_is_not_active(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    await _draft(ada, publish_at=_in(entativa, minutes=2))
    assert (await ada.post("/account/deactivate", json={"password": PASSWORD})).is_success
    entativa.clock.advance(timedelta(minutes=5))
    assert await publish_due(entativa.platform) == 0
    ada = await entativa.log_in("ada")
    assert await publish_due(entativa.platform) == 1
    assert len(await _posts(ada)) == 1


async def test_bad_drafts_name_the_field(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    draft = await _draft(ada)
    for body, field in (
        ({"text": " "}, "text"),
        ({"text": "x", "publish_at": _in(entativa, seconds=59)}, "publish_at"),
        ({"text": "x", "publish_at": _in(entativa, days=367)}, "publish_at"),
        ({"text": "x", "publish_at": "2026-12-24T18:00:00"}, "publish_at"),
        ({"text": "x", "publish_at": "soon"}, "publish_at"),
        ({"text": "x", "quoted_id": UNKNOWN}, "quoted_id"),
        ({"text": "x", "list_id": UNKNOWN}, "list_id"),
        ({"text": "x", "poll": {"options": ["a", "a"], "duration_s": 3600}}, "poll.options"),
        ({"text": "x", "place": {"name": "x", "latitude": 1}}, "place.longitude"),
        ({"text": "x", "colour": 1}, "colour"),
    ):
        for method, path in (("POST", "/drafts"), ("PUT", f"/drafts/{draft['id']}")):
            answer = await ada.request(method, path, json=body)
            assert answer.status_code == 422, body
            assert field in {error["field"] for error in answer.json()["errors"]}, answer.text
    assert (await ada.get("/drafts")).json()["items"] == [draft]


_MANY = """
insert into post_drafts (id, author_id, text, entities, tags, audience, publish_at, created_at, updated_at)
select gen_random_uuid(), $1, '#many ' || number, '[{"tag": "many", "start": 0, "end": 5}]', '{many}', 'public', $2,
    $3, $3
from generate_series(1, $4::int) as number
"""


async def _schedule_many(environment: Environment, author: Member, number: int, publish_at: datetime) -> None:
    pool = environment.platform.database.pool
    await pool.execute(_MANY, UUID(author.id), publish_at, environment.clock(), number)


async def test_an_account_has_so_many_drafts(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    await _schedule_many(entativa, ada, PostPolicy().max_drafts - 1, entativa.clock() + timedelta(hours=1))
    answers = await asyncio.gather(*(ada.post("/drafts", json={"text": "x"}) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"too_many_drafts"}


class Killed(BaseException):
    """The end of a process that publishes, as far as Postgres can see it."""


async def test_each_of_many_is_published_once_while_publishers_are_killed(
    entativa: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three at once; every third commit is the last of its publisher, which is killed just before or just after it."""
    monkeypatch.setattr("features.posts.scheduling._AT_ONCE", 20)
    ada = await entativa.member("ada")
    await entativa.drain()
    await _schedule_many(entativa, ada, 300, entativa.clock())
    commit, commits, killed = UnitOfWork.commit, 0, 0

    async def deadly(uow: UnitOfWork) -> None:
        nonlocal commits, killed
        commits += 1
        dies = commits % 3 == 0
        if not (dies and killed % 2):
            await commit(uow)
        if dies:
            killed += 1
            raise Killed

    async def publish() -> None:
        while True:
            try:
                await publish_due(entativa.platform)
                return
            except Killed:
                continue  # another process takes over

    with monkeypatch.context() as patch:
        patch.setattr(UnitOfWork, "commit", deadly)
        await asyncio.gather(*(publish() for _ in range(3)))
    await publish_due(entativa.platform)
    assert killed >= 4
    pool = entativa.platform.database.pool
    assert await pool.fetchval("select count(*) from post_drafts") == 0
    assert await pool.fetchval("select count(distinct text) from posts") == 300
    assert await pool.fetchval("select count(*) from posts") == 300
    await entativa.drain()
    assert (await ada.get("/hashtags/many")).json()["posts"] == 300


async def test_processes_that_run_publish_when_the_time_comes(entativa: Environment) -> None:
    """By the clock of the machine: two of them, one of which ends before the time."""
    ada = await entativa.member("ada")
    scope = replace(entativa.platform, now=lambda: datetime.now(UTC))
    await _schedule_many(entativa, ada, 3, datetime.now(UTC) + timedelta(seconds=2))
    await _schedule_many(entativa, ada, 2, datetime.now(UTC) + timedelta(seconds=3))
    running = [asyncio.create_task(run_schedule(scope)) for _ in range(2)]
    await asyncio.sleep(0.5)
    running[0].cancel()
    pool = entativa.platform.database.pool
    async with asyncio.timeout(60):
        while await pool.fetchval("select count(*) from posts") < 5:
            await asyncio.sleep(0.05)
    running[1].cancel()
    ended = await asyncio.gather(*running, return_exceptions=True)
    assert all(isinstance(end, asyncio.CancelledError) for end in ended)
    assert await pool.fetchval("select count(*) from post_drafts") == 0
