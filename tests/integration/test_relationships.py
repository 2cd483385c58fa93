"""Blocks, mutes, close friends and lists over HTTP."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from features.errors import LimitReached
from features.relationships.service import RelationshipService
from tests.support.environment import Environment
from tests.support.member import Member
from tests.support.people import add_people


async def usernames(member: Member, path: str, **params: Any) -> list[str]:
    found = await member.get(path, params=params)
    assert found.status_code == 200, found.text
    return [item["person"]["username"] for item in found.json()["items"]]


async def events(environment: Environment) -> list[tuple[str, dict[str, Any]]]:
    """What happened since the event log was drained."""
    rows = await environment.platform.database.pool.fetch("select type, payload from outbox order by id")
    return [(row["type"], row["payload"]) for row in rows]


async def befriend(asker: Member, other: Member) -> None:
    asked = await asker.post("/friends/requests", json={"username": other.username})
    assert (await other.post(f"/friends/requests/{asked.json()['id']}/accept")).status_code == 200


async def test_a_block_ends_a_friendship_and_everything_built_on_it(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    await befriend(ada, bob)
    for one, other in ((ada, "bob"), (bob, "ada")):
        await one.put(f"/close-friends/{other}")
        list_id = (await one.post("/lists", json={"name": "Climbing"})).json()["id"]
        await one.put(f"/lists/{list_id}/members/{other}")
    await entativa.drain()

    assert (await bob.put("/blocks/ada")).status_code == 204
    for member in (ada, bob):
        assert await usernames(member, "/friends") == []
        assert await usernames(member, "/close-friends") == []
        assert (await member.get("/lists")).json()["items"][0]["members"] == 0
        assert (await member.get("/profiles/me")).json()["counts"]["friends"] == 0
    assert await events(entativa) == [
        ("relationships.disconnected", {"owner_id": bob.id, "viewer_id": ada.id}),
        ("relationships.disconnected", {"owner_id": ada.id, "viewer_id": bob.id}),
        ("relationships.blocked", {"blocker_id": bob.id, "blocked_id": ada.id}),
    ]

    assert (await bob.delete("/blocks/ada")).status_code == 204
    assert await usernames(ada, "/friends") == []
    assert (await ada.get("/profiles/bob")).json()["relationship"]["friends"] is False


async def test_a_block_ends_follows_in_both_directions(vignette: Environment) -> None:
    ada, bob = await vignette.member("ada"), await vignette.member("bob")
    await ada.put("/follows/bob")
    await bob.put("/follows/ada")
    await ada.put("/blocks/bob")
    await ada.delete("/blocks/bob")
    for member in (ada, bob):
        assert (await member.get("/profiles/me")).json()["counts"] == {"friends": None, "followers": 0, "following": 0}


@pytest.mark.parametrize("blocker", ["sender", "recipient"])
async def test_a_block_ends_pending_requests(entativa: Environment, blocker: str) -> None:
    sender, recipient = await entativa.member("sender"), await entativa.member("recipient")
    asked = (await sender.post("/friends/requests", json={"username": "recipient"})).json()["id"]
    by, whom = (sender, "recipient") if blocker == "sender" else (recipient, "sender")
    await by.put(f"/blocks/{whom}")
    await by.delete(f"/blocks/{whom}")
    assert await usernames(recipient, "/friends/requests", direction="incoming") == []
    assert await usernames(sender, "/friends/requests", direction="outgoing") == []
    assert (await recipient.post(f"/friends/requests/{asked}/accept")).status_code == 404


async def test_blocking_twice_is_blocking_once(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    await add_people(entativa, 1, "bob")
    await entativa.drain()
    for _ in range(2):
        assert (await ada.put("/blocks/bob1")).status_code == 204
    assert await usernames(ada, "/blocks") == ["bob1"]
    for _ in range(2):
        assert (await ada.delete("/blocks/bob1")).status_code == 204
    assert await usernames(ada, "/blocks") == []
    assert [type for type, _ in await events(entativa)] == ["relationships.blocked", "relationships.unblocked"]


async def test_the_blocked_cannot_end_or_answer_the_block(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    await ada.put("/blocks/bob")
    assert (await bob.delete("/blocks/ada")).status_code == 404
    assert (await bob.put("/blocks/ada")).status_code == 404
    assert await usernames(bob, "/blocks") == []
    assert (await bob.get("/profiles/ada")).status_code == 404


async def test_mutual_blocks_end_one_by_one(entativa: Environment) -> None:
    """Both block at the same moment; each then needs the other's consent to be found again."""
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    relationships, database = entativa.platform.service(RelationshipService), entativa.platform.database
    async with database.unit_of_work() as first, database.unit_of_work() as second:
        await relationships.block(first, UUID(ada.id), UUID(bob.id), entativa.clock())
        racing = asyncio.create_task(relationships.block(second, UUID(bob.id), UUID(ada.id), entativa.clock()))
        await asyncio.wait({racing}, timeout=0.2)
        await first.commit()
        await racing
        await second.commit()
    assert (await ada.delete("/blocks/bob")).status_code == 204
    assert (await ada.get("/profiles/bob")).status_code == 404
    assert (await bob.delete("/blocks/ada")).status_code == 204
    assert (await ada.get("/profiles/bob")).status_code == 200


async def test_a_block_wins_against_an_acceptance_at_the_same_moment(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    asked = (await ada.post("/friends/requests", json={"username": "bob"})).json()["id"]
    relationships, database = entativa.platform.service(RelationshipService), entativa.platform.database
    async with database.unit_of_work() as blocking:
        await relationships.block(blocking, UUID(ada.id), UUID(bob.id), entativa.clock())
        accepting = asyncio.create_task(bob.post(f"/friends/requests/{asked}/accept"))
        await asyncio.wait({accepting}, timeout=0.2)
        await blocking.commit()
    assert (await accepting).status_code == 404
    assert await usernames(bob, "/friends") == []


async def test_many_blocks_in_all_directions_never_deadlock(entativa: Environment) -> None:
    members = [await entativa.member(f"member{number}") for number in range(4)]
    answers = await asyncio.gather(
        *(one.put(f"/blocks/{other.username}") for one in members for other in members if one is not other)
    )
    assert {answer.status_code for answer in answers} <= {204, 404}
    for one in members:
        for other in members:
            assert one is other or (await one.get(f"/profiles/{other.username}")).status_code == 404


async def test_nobody_does_this_to_herself(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    for path in ("/blocks/ada", "/mutes/ada", "/close-friends/ada"):
        refused = await ada.put(path)
        assert (refused.status_code, refused.json()["code"]) == (422, "yourself"), path


@pytest.mark.parametrize("kind", ["mutes", "close-friends"])
async def test_a_set_of_people(entativa: Environment, kind: str) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    names = await add_people(entativa, 3)
    for name in names:
        for _ in range(2):
            assert (await ada.put(f"/{kind}/{name}")).is_success
    await ada.delete(f"/{kind}/person2")
    assert (await ada.delete(f"/{kind}/person2")).status_code == 204
    assert sorted(await usernames(ada, f"/{kind}")) == ["person1", "person3"]
    assert await usernames(bob, f"/{kind}") == []


async def test_muting_tells_nobody_and_changes_no_tie(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    await befriend(ada, bob)
    await entativa.drain()
    await ada.put("/mutes/bob")
    own_feed_only = {"owner_id": ada.id, "reader_ids": [ada.id], "deleted_list_id": None}
    assert await events(entativa) == [("relationships.circles_changed", own_feed_only)]
    assert await usernames(ada, "/friends") == ["bob"]


async def test_a_mute_of_somebody_who_blocks_is_not_shown(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    await ada.put("/mutes/bob")
    await bob.put("/blocks/ada")
    assert await usernames(ada, "/mutes") == []


async def test_who_leaves_the_audience_leaves_the_circles(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    await befriend(ada, bob)
    await ada.put("/close-friends/bob")
    list_id = (await ada.post("/lists", json={"name": "Climbing"})).json()["id"]
    await ada.put(f"/lists/{list_id}/members/bob")
    await bob.delete("/friends/ada")
    assert await usernames(ada, "/close-friends") == []
    assert await usernames(ada, f"/lists/{list_id}/members") == []


async def test_lists(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    await add_people(entativa, 2)
    climbing = await ada.post("/lists", json={"name": " Climbing "})
    assert (climbing.status_code, climbing.json()["name"]) == (201, "Climbing")
    taken = await ada.post("/lists", json={"name": "CLIMBING"})
    assert (taken.status_code, taken.json()["errors"][0]["field"]) == (409, "name")
    list_id = climbing.json()["id"]
    for name in ("person1", "person2", "person1"):
        assert (await ada.put(f"/lists/{list_id}/members/{name}")).status_code == 204
    assert (await ada.get("/lists")).json()["items"] == [{**climbing.json(), "members": 2}]
    await ada.delete(f"/lists/{list_id}/members/person1")
    assert await usernames(ada, f"/lists/{list_id}/members") == ["person2"]
    assert (await ada.delete(f"/lists/{list_id}")).status_code == 204
    assert (await ada.get("/lists")).json()["items"] == []


async def test_a_list_needs_a_name(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    for name in ("", "  ", "x" * 51, "a\nb", "a\x00b"):
        refused = await ada.post("/lists", json={"name": name})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "name"), name


async def test_a_list_is_its_owners_alone(entativa: Environment) -> None:
    """Another one's list answers as one that does not exist."""
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    await befriend(ada, bob)
    mine = (await ada.post("/lists", json={"name": "Climbing"})).json()["id"]
    await ada.put(f"/lists/{mine}/members/bob")
    paths = [
        ("GET", "/lists/{}/members"),
        ("PUT", "/lists/{}/members/ada"),
        ("DELETE", "/lists/{}/members/ada"),
        ("DELETE", "/lists/{}"),
    ]
    for method, path in paths:
        for list_id in (mine, str(uuid4())):
            refused = await bob.request(method, path.format(list_id))
            assert (refused.status_code, refused.json()["code"]) == (404, "no_such_list"), (method, path)
            assert (await entativa.anonymous.request(method, path.format(list_id))).status_code == 401
    assert await usernames(ada, f"/lists/{mine}/members") == ["bob"]


async def test_lists_need_a_signed_in_reader(entativa: Environment) -> None:
    for path in ("/blocks", "/mutes", "/close-friends", "/lists"):
        assert (await entativa.anonymous.get(path)).status_code == 401, path


async def test_pages_show_everybody_once(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    names = await add_people(entativa, 7)
    for kind in ("mutes", "close-friends", "blocks"):
        for name in names:
            await ada.put(f"/{kind}/{name}")
            entativa.clock.advance(timedelta(seconds=1))
        seen: list[str] = []
        params: dict[str, Any] = {"limit": 3}
        while True:
            page = (await ada.get(f"/{kind}", params=params)).json()
            seen += [item["person"]["username"] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            params["cursor"] = page["next_cursor"]
        assert seen == names[::-1], kind


@pytest.mark.parametrize(
    ("limit", "path"),
    [
        ("max_blocks", "/blocks/{}"),
        ("max_mutes", "/mutes/{}"),
        ("max_close_friends", "/close-friends/{}"),
        ("max_list_members", "/lists/{list}/members/{}"),
    ],
)
async def test_limits_hold_against_requests_at_the_same_moment(entativa: Environment, limit: str, path: str) -> None:
    """Filled by SQL up to three below the limit; of eight additions at once three pass."""
    ada = await entativa.member("ada")
    list_id = (await ada.post("/lists", json={"name": "Climbing"})).json()["id"]
    names = await add_people(entativa, 8, "late")
    most = getattr(entativa.platform.service(RelationshipService).policy, limit)
    await add_people(entativa, most - 3, "early")
    tables = {"max_blocks": "blocks", "max_mutes": "mutes", "max_close_friends": "close_friends"}
    fill = "insert into {} select $1, account_id, now() from profiles where username like 'early%'"
    owner = list_id if limit == "max_list_members" else ada.id
    await entativa.platform.database.pool.execute(fill.format(tables.get(limit, "list_members")), owner)
    address = path.replace("{list}", list_id)
    answers = await asyncio.gather(*(ada.put(address.format(name)) for name in names))
    assert sorted(409 if answer.status_code == 409 else 0 for answer in answers) == [0] * 3 + [409] * 5


async def test_a_person_has_so_many_lists(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    most = entativa.platform.service(RelationshipService).policy.max_lists
    answers = await asyncio.gather(*(ada.post("/lists", json={"name": f"List {n}"}) for n in range(most + 2)))
    assert sorted(answer.status_code for answer in answers) == [201] * most + [409] * 2


async def test_a_brand_sets_its_own_limits(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    relationships = entativa.platform.service(RelationshipService)
    strict = replace(relationships, policy=replace(relationships.policy, max_lists=1))
    async with entativa.platform.database.unit_of_work() as uow:
        await strict.create_list(uow, UUID(ada.id), "One", entativa.clock())
        with pytest.raises(LimitReached):
            await strict.create_list(uow, UUID(ada.id), "Two", entativa.clock())


async def test_a_long_page_costs_two_statements(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    names = await add_people(entativa, 20)
    for path in ("/mutes", "/close-friends", "/blocks"):
        for name in names:
            await ada.put(f"{path}/{name}")
        long = await ada.get(path, params={"limit": 20})
        assert (len(long.json()["items"]), entativa.statements(long)) == (20, 2), path
