"""Friends over HTTP: requests, responses, limits, and what a refused sender can observe."""

import asyncio
from datetime import timedelta
from typing import Any

from features.friends.service import FriendService
from tests.support.environment import Environment
from tests.support.member import Member
from tests.support.people import add_people, befriend


async def ask(member: Member, username: str) -> dict[str, Any]:
    answer = await member.post("/friends/requests", json={"username": username})
    assert answer.status_code in {200, 201}, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def usernames(member: Member, path: str, **params: Any) -> list[str]:
    found = await member.get(path, params=params)
    assert found.status_code == 200, found.text
    return [item["person"]["username"] for item in found.json()["items"]]


async def incoming(member: Member) -> list[str]:
    return await usernames(member, "/friends/requests", direction="incoming")


async def outgoing(member: Member) -> list[str]:
    return await usernames(member, "/friends/requests", direction="outgoing")


async def events(environment: Environment) -> list[str]:
    """The types of what happened since the event log was drained."""
    rows = await environment.platform.database.pool.fetch("select type from outbox order by id")
    return [row["type"] for row in rows]


async def test_from_a_request_to_a_friendship_and_back(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    await entativa.drain()
    asked = await ada.post("/friends/requests", json={"username": "BOB"})
    assert (asked.status_code, asked.json()["state"], asked.json()["direction"]) == (201, "pending", "outgoing")
    assert await outgoing(ada) == ["bob"]
    assert await incoming(bob) == ["ada"]

    accepted = await bob.post(f"/friends/requests/{asked.json()['id']}/accept")
    assert (accepted.status_code, accepted.json()["person"]["username"]) == (200, "ada")
    assert await events(entativa) == [
        "friends.requested",
        "relationships.connected",
        "relationships.connected",
        "friends.accepted",
    ]
    assert await usernames(ada, "/friends") == ["bob"]
    assert await usernames(bob, "/friends") == ["ada"]
    assert await incoming(bob) == await outgoing(ada) == []
    again = await ada.post("/friends/requests", json={"username": "bob"})
    assert (again.status_code, again.json()["code"]) == (409, "already_friends")

    await entativa.drain()
    for _ in range(2):
        assert (await ada.delete("/friends/bob")).status_code == 204
    assert await usernames(ada, "/friends") == await usernames(bob, "/friends") == []
    assert (await events(entativa)).count("friends.removed") == 1
    assert (await ask(ada, "bob"))["state"] == "pending"


async def test_asking_again_changes_nothing(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    first = await ada.post("/friends/requests", json={"username": "bob"})
    await entativa.drain()
    second = await ada.post("/friends/requests", json={"username": "bob"})
    assert (second.status_code, second.json()) == (200, first.json())
    assert await incoming(bob) == ["ada"]
    assert await events(entativa) == []


async def test_a_withdrawn_request_is_gone(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    asked = await ask(ada, "bob")
    assert (await ada.delete(f"/friends/requests/{asked['id']}")).status_code == 204
    assert await incoming(bob) == await outgoing(ada) == []
    assert (await bob.post(f"/friends/requests/{asked['id']}/accept")).status_code == 404
    assert (await ada.delete(f"/friends/requests/{asked['id']}")).status_code == 404


async def test_who_has_been_asked_and_asks_is_a_friend_at_once(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    await ask(ada, "bob")
    assert (await ask(bob, "ada"))["state"] == "accepted"
    assert await usernames(ada, "/friends") == ["bob"]
    assert await incoming(bob) == await outgoing(bob) == await outgoing(ada) == []


async def test_two_who_ask_at_the_same_moment_are_friends(entativa: Environment) -> None:
    """Bob asks while Ada's request is written and not yet committed."""
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    friends, database = entativa.platform.service(FriendService), entativa.platform.database
    ada_id = await database.pool.fetchval("select account_id from profiles where username = 'ada'")
    async with database.unit_of_work() as uow:
        assert not (await friends.send_request(uow, ada_id, "bob", entativa.clock())).accepted
        racing = asyncio.create_task(ask(bob, "ada"))
        await asyncio.wait({racing}, timeout=0.2)
        await uow.commit()
    assert (await racing)["state"] == "accepted"
    assert await usernames(ada, "/friends") == ["bob"]
    assert await incoming(ada) == await incoming(bob) == []


async def test_everybody_asks_everybody_at_once(entativa: Environment) -> None:
    """No deadlock, no lost and no doubled friendship, whatever the order."""
    members = [await entativa.member(name) for name in ("ada", "bob", "carol", "dan")]
    pairs = [(one, other.username) for one in members for other in members if one is not other]
    answers = await asyncio.gather(*(one.post("/friends/requests", json={"username": other}) for one, other in pairs))
    assert {answer.status_code for answer in answers} == {201}
    for one in members:
        assert sorted(await usernames(one, "/friends")) == sorted(m.username for m in members if m is not one)
        assert (await one.get("/profiles/me")).json()["counts"]["friends"] == 3


async def test_a_refusal_is_not_told(entativa: Environment) -> None:
    """Ada, refused by Bob, sees what she sees with Carol, who does not answer."""
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    carol = (await add_people(entativa, 1, "carol"))[0]
    to_bob, to_carol = await ask(ada, "bob"), await ask(ada, carol)
    assert (await bob.post(f"/friends/requests/{to_bob['id']}/decline")).status_code == 204
    assert await incoming(bob) == []
    await entativa.drain()

    def like(answer: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in answer.items() if key not in {"id", "person"}}

    assert sorted(await outgoing(ada)) == ["bob", carol]
    profiles = [(await ada.get(f"/profiles/{name}")).json() for name in ("bob", carol)]
    assert profiles[0]["relationship"] == profiles[1]["relationship"]
    repeated = [await ada.post("/friends/requests", json={"username": name}) for name in ("bob", carol)]
    assert [answer.status_code for answer in repeated] == [200, 200]
    assert [answer.json() for answer in repeated] == [to_bob, to_carol]
    for request in (to_bob, to_carol):
        assert (await ada.delete(f"/friends/requests/{request['id']}")).status_code == 204
    renewed = [await ada.post("/friends/requests", json={"username": name}) for name in ("bob", carol)]
    assert [answer.status_code for answer in renewed] == [201, 201]
    assert like(renewed[0].json()) == like(renewed[1].json())
    assert entativa.statements(renewed[0]) == entativa.statements(renewed[1])
    assert sorted(await outgoing(ada)) == ["bob", carol]

    assert await incoming(bob) == []
    assert (await bob.get("/profiles/ada")).json()["relationship"]["friend_request"] is None
    assert await events(entativa) == ["friends.requested_unseen", "friends.requested"], "only Carol is notified"
    assert (await bob.post(f"/friends/requests/{renewed[0].json()['id']}/accept")).status_code == 404


async def test_after_the_cool_down_a_request_arrives_again(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    asked = await ask(ada, "bob")
    await bob.post(f"/friends/requests/{asked['id']}/decline")
    entativa.clock.advance(entativa.platform.service(FriendService).policy.cool_down - timedelta(seconds=1))
    ada, bob = await entativa.log_in("ada"), await entativa.log_in("bob")
    assert (await ask(ada, "bob"))["id"] == asked["id"]
    assert await incoming(bob) == []
    entativa.clock.advance(timedelta(seconds=1))
    assert (await ask(ada, "bob"))["id"] == asked["id"]
    assert await incoming(bob) == ["ada"]
    assert (await bob.post(f"/friends/requests/{asked['id']}/accept")).status_code == 200


async def test_who_refused_can_think_better_of_it(entativa: Environment) -> None:
    """Ada still waits as far as she knows, so Bob's asking makes them friends."""
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    asked = await ask(ada, "bob")
    await bob.post(f"/friends/requests/{asked['id']}/decline")
    assert (await ask(bob, "ada"))["state"] == "accepted"
    assert await usernames(ada, "/friends") == ["bob"]
    await bob.delete("/friends/ada")
    await ask(ada, "bob")
    assert await incoming(bob) == ["ada"], "a friendship ends the cool-down"


async def test_a_request_is_between_two(entativa: Environment) -> None:
    """Each step by everybody who may not take it: as if there were no such request."""
    ada, bob, eve = [await entativa.member(name) for name in ("ada", "bob", "eve")]
    address = f"/friends/requests/{(await ask(ada, 'bob'))['id']}"
    forbidden = [
        (entativa.anonymous, 401, ("accept", "decline", "withdraw")),
        (eve, 404, ("accept", "decline", "withdraw")),
        (ada, 404, ("accept", "decline")),
        (bob, 404, ("withdraw",)),
    ]
    for member, status, steps in forbidden:
        for step in steps:
            answer = await (member.delete(address) if step == "withdraw" else member.post(f"{address}/{step}"))
            assert answer.status_code == status, (member.username, step)
    assert await incoming(eve) == await outgoing(eve) == []
    for path in ("/friends", "/friends/requests"):
        assert (await entativa.anonymous.get(path)).status_code == 401
    assert await incoming(bob) == ["ada"]


async def test_a_request_is_read_by_its_two_people_as_each_may_see_it(entativa: Environment) -> None:
    ada, bob, eve = [await entativa.member(name) for name in ("ada", "bob", "eve")]
    made = await ada.post("/friends/requests", json={"username": "bob"})
    path = made.headers["location"].removeprefix("/v1")

    async def read(*members: Member) -> list[tuple[int, str | None, str | None]]:
        answers = [await member.get(path) for member in members]
        assert all(entativa.statements(answer) <= 3 for answer in answers if answer.is_success)
        return [(one.status_code, one.json().get("state"), one.json().get("direction")) for one in answers]

    mine, nothing = (200, "pending", "outgoing"), (404, None, None)
    assert (await ada.get(path)).json() == made.json()
    assert await read(ada, bob, eve) == [mine, (200, "pending", "incoming"), nothing]
    assert (await entativa.anonymous.get(path)).status_code == 401
    assert (await bob.post(f"{path}/decline")).status_code == 204
    assert await read(ada, bob, eve) == [mine, nothing, nothing], "a refusal is not told"
    assert (await bob.post("/friends/requests", json={"username": "ada"})).json()["state"] == "accepted"
    assert await read(ada, bob, eve) == [(200, "accepted", "outgoing"), (200, "accepted", "incoming"), nothing]
    assert (await bob.put("/blocks/ada")).is_success
    assert await read(ada, bob, eve) == [nothing] * 3
    assert (await bob.delete("/blocks/ada")).is_success
    await eve.post("/friends/requests", json={"username": "bob"})
    withdrawn = (await eve.post("/friends/requests", json={"username": "bob"})).json()["id"]
    assert (await eve.delete(f"/friends/requests/{withdrawn}")).status_code == 204
    assert (await eve.get(f"/friends/requests/{withdrawn}")).status_code == 404


async def test_nobody_asks_herself_or_nobody(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    for username, status in [("ada", 422), ("nobody_here", 404), ("", 404), ("é" * 50, 404), ("x" * 101, 422)]:
        answer = await ada.post("/friends/requests", json={"username": username})
        assert answer.status_code == status, username


async def test_a_day_has_fifty_requests(entativa: Environment) -> None:
    """Also when sixty are sent at once, and when some are withdrawn."""
    ada = await entativa.member("ada")
    names = await add_people(entativa, 60)
    policy = entativa.platform.service(FriendService).policy
    assert policy.max_requests_per_window == 50
    answers = await asyncio.gather(*(ada.post("/friends/requests", json={"username": name}) for name in names))
    sent = [answer for answer in answers if answer.status_code == 201]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert (len(sent), len(refused)) == (50, 10)
    assert {answer.headers["Retry-After"] for answer in refused} == {"86400"}
    assert {answer.json()["code"] for answer in refused} == {"too_many_requests_sent"}
    for answer in sent[:5]:
        await ada.delete(f"/friends/requests/{answer.json()['id']}")
    asked = {answer.json()["person"]["username"] for answer in sent}
    late = {"username": next(name for name in names if name not in asked)}
    assert (await ada.post("/friends/requests", json=late)).status_code == 429
    entativa.clock.advance(policy.window)
    ada = await entativa.log_in("ada")
    assert (await ada.post("/friends/requests", json=late)).status_code == 201


async def test_two_hundred_requests_wait(entativa: Environment) -> None:
    """199 wait since last week; of four more at once one is sent, and a withdrawal makes room for another."""
    ada = await entativa.member("ada")
    names = await add_people(entativa, 203)
    assert entativa.platform.service(FriendService).policy.max_pending == 200
    await entativa.platform.database.pool.execute(
        """insert into friend_requests (id, sender_id, recipient_id, state, created_at)
        select gen_random_uuid(), $1, account_id, 'waiting', $3 from profiles where username = any($2::text[])""",
        ada.id,
        names[:199],
        entativa.clock() - timedelta(days=7),
    )
    answers = await asyncio.gather(*(ada.post("/friends/requests", json={"username": name}) for name in names[199:]))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert {a.json()["code"] for a in answers if a.status_code == 409} == {"too_many_pending_requests"}
    waiting = (await ada.get("/friends/requests", params={"direction": "outgoing", "limit": 1})).json()["items"][0]
    await ada.delete(f"/friends/requests/{waiting['id']}")
    assert (await ada.post("/friends/requests", json={"username": names[202]})).status_code == 201


async def test_fifteen_hundred_friends(entativa: Environment) -> None:
    """Bob has 1,499 and accepts three at once: one more is a friend. Full, he can neither accept nor ask nor be met."""
    bob = await entativa.member("bob")
    names = await add_people(entativa, 1_499)
    assert entativa.platform.service(FriendService).policy.max_friends == 1_500
    async with entativa.platform.database.unit_of_work() as uow:
        await befriend(uow, bob.id, names, entativa.clock())
        await uow.commit()
    askers = [await entativa.member(name) for name in ("ada", "carol", "dan")]
    requests = [(await ask(asker, "bob"))["id"] for asker in askers]
    answers = await asyncio.gather(*(bob.post(f"/friends/requests/{request}/accept") for request in requests))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
    assert (await bob.get("/profiles/me")).json()["counts"]["friends"] == 1_500
    assert len(await incoming(bob)) == 2

    eve = await entativa.member("eve")
    full = await bob.post("/friends/requests", json={"username": "eve"})
    assert (full.status_code, full.json()["code"]) == (409, "too_many_friends")
    await bob.delete(f"/friends/{names[0]}")
    await ask(bob, "eve")
    assert (await ask(bob, (await incoming(bob))[0]))["state"] == "accepted"
    met = await eve.post("/friends/requests", json={"username": "bob"})
    assert (met.status_code, met.json()["code"]) == (409, "they_have_too_many_friends")


async def test_pages_of_friends_and_requests(entativa: Environment) -> None:
    """Everybody once, newest first, in two statements a page however long it is."""
    ada = await entativa.member("ada")
    names = await add_people(entativa, 9)
    for name in names[:7]:
        async with entativa.platform.database.unit_of_work() as uow:
            await befriend(uow, ada.id, [name], entativa.clock.advance(timedelta(seconds=1)))
            await uow.commit()
    seen: list[str] = []
    params: dict[str, Any] = {"limit": 3}
    await ada.get("/profiles/me")  # the first request of a session may look it up in Postgres
    while True:
        answer = await ada.get("/friends", params=params)
        assert entativa.statements(answer) == 2
        seen += [item["person"]["username"] for item in answer.json()["items"]]
        if answer.json()["next_cursor"] is None:
            break
        params["cursor"] = answer.json()["next_cursor"]
    assert seen == names[6::-1]

    for name in names[7:]:
        entativa.clock.advance(timedelta(seconds=1))
        await ask(ada, name)
    page = await ada.get("/friends/requests", params={"direction": "outgoing"})
    assert [item["person"]["username"] for item in page.json()["items"]] == ["person9", "person8"]
    assert entativa.statements(page) == 2


async def test_a_repeated_post_with_a_key_asks_once(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    name = (await add_people(entativa, 1))[0]
    headers = {"Idempotency-Key": "a key of my own"}
    answers = [await ada.post("/friends/requests", json={"username": name}, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
