"""Saved posts and collections over HTTP: their owner's alone, and of the posts only those that the owner may see."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from features.collections.policy import CollectionPolicy
from features.posts.model import Audience
from features.posts.privacy import may_see
from tests.integration.test_privacy_posts import RELATIONS, UNKNOWN, Scenario, environment, scenario
from tests.support.environment import PASSWORD, Environment
from tests.support.member import Member

__all__ = ["environment", "scenario"]


async def _post(author: Member, text: str = "Hi", **more: Any) -> str:
    answer = await author.post("/posts", json={"text": text, **more})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def _collection(owner: Member, name: str) -> str:
    answer = await owner.post("/collections", json={"name": name})
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == f"/v1/collections/{answer.json()['id']}"
    return str(answer.json()["id"])


async def _listed(owner: Member, path: str = "/saved-posts") -> list[str]:
    answer = await owner.get(path)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def test_posts_are_saved_listed_by_page_and_removed(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    posts = [await _post(ada, f"{number} #trip @bob") for number in range(3)]
    for post in (posts[1], posts[0], posts[2]):
        entativa.clock.advance(timedelta(seconds=1))
        saved = await bob.put(f"/saved-posts/{post}")
        assert (saved.status_code, saved.json()["collection_ids"]) == (200, [])
        entativa.clock.advance(timedelta(seconds=1))
        assert (await bob.put(f"/saved-posts/{post}")).json() == saved.json(), "it stays where it is"
        assert (await bob.get(f"/saved-posts/{post}")).json() == saved.json()
        for reader, expected in ((bob, True), (ada, False), (entativa.anonymous, False)):
            assert (await reader.get(f"/posts/{post}")).json()["saved"] is expected
    assert await _listed(bob) == [posts[2], posts[0], posts[1]]
    assert await _listed(ada) == []
    first = (await bob.get("/saved-posts?limit=2")).json()
    assert first["items"][0] == (await bob.get(f"/posts/{posts[2]}")).json()
    assert await _listed(bob, f"/saved-posts?limit=2&cursor={first['next_cursor']}") == [posts[1]]
    for _ in range(2):
        assert (await bob.delete(f"/saved-posts/{posts[0]}")).status_code == 204
    assert await _listed(bob) == [posts[2], posts[1]]
    assert (await bob.get(f"/saved-posts/{posts[0]}")).json()["code"] == "not_saved"


async def test_collections_hold_saved_posts(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    one, two = await _post(ada), await _post(ada)
    trips = await _collection(bob, " Trips ")
    entativa.clock.advance(timedelta(seconds=1))
    food = await _collection(bob, "Food")
    for collection, post in ((trips, one), (trips, two), (food, two)):
        entativa.clock.advance(timedelta(seconds=1))
        added = await bob.put(f"/collections/{collection}/posts/{post}")
        assert collection in added.json()["collection_ids"]
        assert (await bob.put(f"/collections/{collection}/posts/{post}")).json() == added.json()
    assert (await bob.get(f"/saved-posts/{two}")).json()["collection_ids"] == [food, trips]
    assert await _listed(bob) == await _listed(bob, f"/collections/{trips}/posts") == [two, one]
    first = (await bob.get(f"/collections/{trips}/posts?limit=1")).json()
    assert await _listed(bob, f"/collections/{trips}/posts?cursor={first['next_cursor']}") == [one]
    assert [item["name"] for item in (await bob.get("/collections")).json()["items"]] == ["Food", "Trips"]

    assert (await bob.delete(f"/collections/{food}/posts/{two}")).status_code == 204
    assert (await _listed(bob, f"/collections/{food}/posts"), await _listed(bob)) == ([], [two, one])
    renamed = await bob.patch(f"/collections/{food}", json={"name": "TRIPS"})
    assert (renamed.status_code, renamed.json()["errors"][0]["field"]) == (409, "name")
    renamed = await bob.patch(f"/collections/{trips}", json={"name": "TRIPS"})
    assert renamed.json() == (await bob.get(f"/collections/{trips}")).json()
    assert renamed.json()["name"] == "TRIPS"
    assert (await bob.delete(f"/saved-posts/{one}")).status_code == 204
    assert await _listed(bob, f"/collections/{trips}/posts") == [two]
    assert (await bob.delete(f"/collections/{trips}")).status_code == 204
    assert (await bob.get(f"/collections/{trips}/posts")).status_code == 404
    assert await _listed(bob) == [two]


async def test_a_collection_is_its_owners_alone(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    post = await _post(ada)
    path = f"/collections/{await _collection(bob, 'Trips')}"
    assert (await bob.put(f"{path}/posts/{post}")).status_code == 200
    body = {"json": {"name": "Mine"}}
    requests: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", path, {}),
        ("PATCH", path, body),
        ("GET", f"{path}/posts", {}),
        ("PUT", f"{path}/posts/{post}", {}),
        ("DELETE", f"{path}/posts/{post}", {}),
        ("DELETE", path, {}),
    ]
    for method, address, options in requests:
        assert (await ada.request(method, address, **options)).json()["code"] == "no_such_collection"
        assert (await entativa.anonymous.request(method, address, **options)).status_code == 401
    for address in ("/saved-posts", "/collections", f"/saved-posts/{post}"):
        assert (await entativa.anonymous.get(address)).status_code == 401
    assert (await ada.get("/collections")).json()["items"] == []
    assert await _listed(bob, f"{path}/posts") == [post]


async def test_bad_names_and_too_many_collections(entativa: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = await entativa.member("ada")
    await _collection(ada, "Trips")
    for name, code in ((" ", "empty"), ("x" * 51, "too_long"), ("a\u202eb", "control_characters")):
        answer = await ada.post("/collections", json={"name": name})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "name")
        assert answer.json()["code"] == code or answer.json()["errors"][0]["code"] == code
    taken = await ada.post("/collections", json={"name": "trips"})
    assert (taken.status_code, taken.json()["code"]) == (409, "collection_name_taken")
    insert = """insert into collections (account_id, id, name, created_at)
        select $1, gen_random_uuid(), 'name ' || number, now() from generate_series(3, $2) as number"""
    most = CollectionPolicy().max_collections
    await entativa.platform.database.pool.execute(insert, UUID(ada.id), most)
    answers = await asyncio.gather(*(ada.post("/collections", json={"name": f"more {n}"}) for n in range(3)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"too_many_collections"}


async def test_a_saved_post_is_shown_while_its_reader_may_see_it(scenario: Scenario) -> None:
    """Everybody but the blocked has saved a public post; its audience changes and changes back."""
    author, collections = scenario.author, dict[str, str]()
    post = await _post(author, "Hi #saved")
    savers = {relation: stands for relation, stands in RELATIONS.items() if may_see(stands, Audience.PUBLIC)}
    del savers["anonymous"]
    for relation in savers:
        reader = scenario.readers[relation]
        collections[relation] = await _collection(reader, "Trips")
        assert (await reader.put(f"/collections/{collections[relation]}/posts/{post}")).status_code == 200
    for audience in (*Audience, Audience.PUBLIC):
        list_id = scenario.list_id if audience is Audience.LIST else None
        assert (await author.patch(f"/posts/{post}", json={"audience": audience, "list_id": list_id})).is_success
        for relation, stands in savers.items():
            reader, shown = scenario.readers[relation], [post] if may_see(stands, audience) else []
            path = f"/collections/{collections[relation]}/posts"
            assert await _listed(reader) == await _listed(reader, path) == shown, (relation, audience)
            saved, again = await reader.get(f"/saved-posts/{post}"), await reader.put(f"/saved-posts/{post}")
            added = await reader.put(f"{path}/{post}")
            expected = 200 if shown else 404
            assert {saved.status_code, again.status_code, added.status_code} == {expected}, (relation, audience)
            if not shown:
                assert saved.json()["code"] == (await reader.get(f"/saved-posts/{UNKNOWN}")).json()["code"]
                assert again.json()["code"] == added.json()["code"] == "no_such_post"


async def test_blocks_account_states_and_deletions(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    one, two = await _post(ada), await _post(ada)
    trips = await _collection(bob, "Trips")
    for post in (one, two):
        entativa.clock.advance(timedelta(seconds=1))
        assert (await bob.put(f"/collections/{trips}/posts/{post}")).status_code == 200
    for blocker, blocked in ((ada, bob), (bob, ada)):
        assert (await blocker.put(f"/blocks/{blocked.username}")).is_success
        assert (await _listed(bob), await _listed(bob, f"/collections/{trips}/posts")) == ([], [])
        assert (await blocker.delete(f"/blocks/{blocked.username}")).is_success
        assert await _listed(bob) == [two, one]
    assert (await ada.post("/account/deactivate", json={"password": PASSWORD})).is_success
    assert await _listed(bob) == []
    ada = await entativa.log_in("ada")
    assert await _listed(bob) == [two, one]
    assert (await ada.delete(f"/posts/{two}")).status_code == 204
    assert await _listed(bob) == await _listed(bob, f"/collections/{trips}/posts") == [one]
    await entativa.drain()
    rows = "select count(*) from saved_posts left join collection_posts using (account_id, post_id) where post_id = $1"
    counted = [await entativa.platform.database.pool.fetchval(rows, UUID(post)) for post in (one, two)]
    assert counted == [1, 0]


async def test_a_post_that_is_deleted_meanwhile_leaves_nothing(entativa: Environment) -> None:
    """Whoever is first: a save waits for the deletion, or the deletion's event finds what was saved."""
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    for _ in range(5):
        post = await _post(ada)
        saved, deleted = await asyncio.gather(bob.put(f"/saved-posts/{post}"), ada.delete(f"/posts/{post}"))
        assert (saved.status_code in {200, 404}, deleted.status_code) == (True, 204)
    await entativa.drain()
    assert await entativa.platform.database.pool.fetchval("select count(*) from saved_posts") == 0


async def test_a_page_costs_a_fixed_number_of_statements(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    trips, counts = await _collection(bob, "Trips"), []
    for number in range(5):
        post = await _post(ada, f"{number} @bob")
        assert (await bob.put(f"/collections/{trips}/posts/{post}")).status_code == 200
        if number in (0, 4):
            pages = [await bob.get("/saved-posts"), await bob.get(f"/collections/{trips}/posts")]
            counts.append([entativa.statements(page) for page in pages])
    assert counts[0] == counts[1]
