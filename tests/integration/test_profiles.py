"""Profiles over HTTP: the caller's own, other people's, and who may find whom."""

import asyncio
from typing import Any
from uuid import UUID

import httpx

from features.errors import Conflict
from features.profiles.service import ProfileService
from tests.support.environment import Environment
from tests.support.member import Member
from tests.support.people import add_people


async def befriend(asker: Member, other: Member) -> None:
    asked = await asker.post("/friends/requests", json={"username": other.username})
    assert (await other.post(f"/friends/requests/{asked.json()['id']}/accept")).status_code == 200


def without_trace(response: httpx.Response) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    del body["trace_id"]
    return body


async def test_a_member_describes_herself(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    change = {
        "name": "  Ada Lovelace ",
        "bio": "Poetical science.\r\nLondon",
        "pronouns": "she/her",
        "links": ["https://example.org/ada?x=1"],
    }
    changed = await ada.patch("/profiles/me", json=change)
    assert changed.status_code == 200
    seen = (await entativa.anonymous.get("/profiles/ADA")).json()
    assert {key: seen[key] for key in ("username", "name", "bio", "pronouns", "links")} == {
        "username": "ada",
        "name": "Ada Lovelace",
        "bio": "Poetical science.\nLondon",
        "pronouns": "she/her",
        "links": ["https://example.org/ada?x=1"],
    }


async def test_a_change_leaves_the_rest_and_an_empty_text_clears(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    await ada.patch("/profiles/me", json={"bio": "Mathematician", "links": ["https://example.org"]})
    await ada.patch("/profiles/me", json={"bio": "", "pronouns": None})
    mine = (await ada.get("/profiles/me")).json()
    assert (mine["name"], mine["bio"], mine["links"]) == ("Ada", "", ["https://example.org"])


BAD_CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"name": " "}, "name"),
    ({"name": "x" * 51}, "name"),
    ({"name": "Ada\u202eadA"}, "name"),
    ({"bio": "x" * 501}, "bio"),
    ({"bio": "a\x00b"}, "bio"),
    ({"pronouns": "x" * 41}, "pronouns"),
    ({"links": ["javascript:alert(1)"]}, "links"),
    ({"links": ["https://"]}, "links"),
    ({"links": ["http://[oops"]}, "links"),
    ({"links": ["https://user@example.org"]}, "links"),
    ({"links": ["https://example.org"] * 6}, "links"),
    ({"links": ["https://example.org/" + "x" * 300]}, "links"),
    ({"username": "countess"}, "username"),
]


async def test_a_bad_change_names_its_field_and_changes_nothing(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    before = (await ada.get("/profiles/me")).json()
    for change, field in BAD_CHANGES:
        refused = await ada.patch("/profiles/me", json={"bio": "new", **change})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field), change
    assert (await ada.get("/profiles/me")).json() == before


async def test_half_a_character_is_refused(entativa: Environment) -> None:
    """A lone surrogate is valid JSON and no text (RFC 8259, section 8.2)."""
    ada = await entativa.member("ada")
    headers = {"Content-Type": "application/json"}
    refused = await ada.patch("/profiles/me", headers=headers, content=rb'{"bio": "\ud800"}')
    assert refused.status_code == 422


async def test_addresses_that_lead_nowhere(entativa: Environment) -> None:
    for username in ("ab", "x" * 31, "...", "%2e%2e%2e", "a%20b", "%C3%A9%C3%A9%C3%A9", "a%0Ab", "nobody_here"):
        found = await entativa.anonymous.get(f"/profiles/{username}")
        assert found.status_code in {404, 422}, username


async def test_only_one_of_two_gets_a_username(entativa: Environment) -> None:
    profiles, database = entativa.platform.service(ProfileService), entativa.platform.database
    insert = "insert into accounts (id, email, password_hash, created_at) values ($1, $2, 'none', now())"

    async def create(number: int) -> str:
        account_id = UUID(int=number)
        async with database.unit_of_work() as uow:
            await uow.execute(insert, account_id, f"{number}@example.org")
            try:
                await profiles.create(uow, account_id, "Countess", "Ada", entativa.clock())
            except Conflict as conflict:
                return conflict.code
            await uow.commit()
        return "created"

    assert sorted(await asyncio.gather(create(1), create(2), create(3))) == [
        "created",
        "username_taken",
        "username_taken",
    ]


async def test_who_sees_what_of_a_profile(entativa: Environment) -> None:
    """Every relation to Ada: what she is to the viewer, or that she cannot be found."""
    ada, bob, carol, dan = [await entativa.member(name) for name in ("ada", "bob", "carol", "dan")]
    blocker, blocked = await entativa.member("blocker"), await entativa.member("blocked")
    await befriend(bob, ada)
    await befriend(carol, bob)
    await blocker.put("/blocks/ada")
    await ada.put("/blocks/blocked")
    none = {"friends": False, "friend_request": None, "following": None, "followed_by": None, "muted": False}
    stranger = {**none, "close_friend": False}
    expected: list[tuple[Member, int, Any]] = [
        (entativa.anonymous, 200, None),
        (ada, 200, None),
        (dan, 200, stranger),
        (carol, 200, stranger),
        (bob, 200, {**stranger, "friends": True}),
        (blocker, 404, None),
        (blocked, 404, None),
    ]
    for viewer, status, relationship in expected:
        answer = await viewer.get("/profiles/ada")
        assert (answer.status_code, answer.json().get("relationship")) == (status, relationship), viewer.username
        if status == 200:
            assert answer.json()["counts"] == {"friends": 1, "followers": None, "following": None}


async def test_a_profile_shows_requests_mutes_and_close_friends(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    await ada.post("/friends/requests", json={"username": "bob"})
    await ada.put("/mutes/bob")
    await ada.put("/close-friends/bob")
    seen_by_ada = (await ada.get("/profiles/bob")).json()["relationship"]
    seen_by_bob = (await bob.get("/profiles/ada")).json()["relationship"]
    flags = ("friend_request", "muted", "close_friend")
    assert [seen_by_ada[flag] for flag in flags] == ["outgoing", True, True]
    assert [seen_by_bob[flag] for flag in flags] == ["incoming", False, False]


async def test_a_profile_shows_follows_in_both_directions(vignette: Environment) -> None:
    ada, bob = await vignette.member("ada"), await vignette.member("bob")
    await ada.put("/follows/bob")
    seen = (await ada.get("/profiles/bob")).json()
    assert seen["counts"] == {"friends": None, "followers": 1, "following": 0}
    assert (seen["relationship"]["following"], seen["relationship"]["followed_by"]) == (True, False)
    seen = (await bob.get("/profiles/ada")).json()
    assert seen["counts"] == {"friends": None, "followers": 0, "following": 1}
    assert (seen["relationship"]["following"], seen["relationship"]["followed_by"]) == (False, True)


BOTH_BRANDS = [
    ("GET", "/profiles/{}"),
    ("PUT", "/mutes/{}"),
    ("DELETE", "/mutes/{}"),
    ("PUT", "/close-friends/{}"),
    ("DELETE", "/close-friends/{}"),
    ("PUT", "/lists/{list}/members/{}"),
    ("DELETE", "/lists/{list}/members/{}"),
]
FRIENDS = [("POST", "/friends/requests"), ("DELETE", "/friends/{}")]
FOLLOWS = [
    ("PUT", "/follows/{}"),
    ("DELETE", "/follows/{}"),
    ("DELETE", "/followers/{}"),
    ("GET", "/profiles/{}/followers"),
    ("GET", "/profiles/{}/following"),
]


async def assert_unfindable(viewer: Member, username: str, paths: list[tuple[str, str]], list_id: str) -> None:
    for method, path in paths:
        answers = []
        for name in (username, "nobody_here"):
            body = {"username": name} if method == "POST" else None
            address = path.replace("{list}", list_id).format(name)
            answers.append(await viewer.request(method, address, json=body))
        there, nowhere = answers
        assert there.status_code == nowhere.status_code == 404, (method, path)
        assert without_trace(there) == without_trace(nowhere), (method, path)
        assert set(there.headers) == set(nowhere.headers), (method, path)


async def assert_a_block_hides(environment: Environment, paths: list[tuple[str, str]]) -> None:
    ada, bob = await environment.member("ada"), await environment.member("bob")
    list_ids = [(await who.post("/lists", json={"name": "L"})).json()["id"] for who in (ada, bob)]
    await ada.put("/blocks/bob")
    await assert_unfindable(ada, "bob", paths, list_ids[0])
    await assert_unfindable(bob, "ada", [*paths, ("PUT", "/blocks/{}"), ("DELETE", "/blocks/{}")], list_ids[1])


async def test_a_block_hides_each_from_the_other_among_friends(entativa: Environment) -> None:
    await assert_a_block_hides(entativa, BOTH_BRANDS + FRIENDS)


async def test_a_block_hides_each_from_the_other_among_followers(vignette: Environment) -> None:
    await assert_a_block_hides(vignette, BOTH_BRANDS + FOLLOWS)


async def assert_few_statements(environment: Environment, with_token: int) -> None:
    ada = await environment.member("ada")
    await add_people(environment, 1)
    await ada.get("/profiles/me")  # the first request of a session may look it up in Postgres
    assert environment.statements(await ada.get("/profiles/me")) == 2
    assert environment.statements(await ada.get("/profiles/person1")) == with_token
    assert environment.statements(await environment.anonymous.get("/profiles/person1")) == 2


async def test_reading_a_profile_with_friends_costs_three_statements(entativa: Environment) -> None:
    await assert_few_statements(entativa, 3)


async def test_reading_a_profile_with_follows_costs_two_statements(vignette: Environment) -> None:
    await assert_few_statements(vignette, 2)


async def test_a_change_is_an_event(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    await entativa.drain()
    await ada.patch("/profiles/me", json={"bio": "Poetical science."})
    rows = await entativa.platform.database.pool.fetch("select type, key, payload from outbox")
    assert [(row["type"], row["key"], row["payload"]) for row in rows] == [
        ("profiles.updated", ada.id, {"account_id": ada.id})
    ]
