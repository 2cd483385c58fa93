"""Who may write to whom: friends, strangers, people who have blocked each other, accounts that are not active."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from cluster.retention import sweep
from features.messaging.feature import MESSAGING
from features.messaging.policy import MessagingPolicy
from tests.integration.messaging.people import Correspondence, Device
from tests.integration.messaging.test_pairs import problem
from tests.support.environment import PASSWORD, Environment
from tests.support.member import Member


@pytest.fixture
def messaging_policy() -> MessagingPolicy:
    return MessagingPolicy(max_request_messages=2, max_pending_requests=2)


async def states(member: Member, state: str) -> list[str]:
    """The other people's names in a member's conversations that are in a state."""
    answer = await member.get("/conversations", params={"state": state})
    assert (answer.status_code, Environment.statements(answer) <= 2) == (200, True)
    return [item["person"]["username"] for item in answer.json()["items"]]


async def test_to_open_a_conversation_again_is_to_find_it(opened: Correspondence) -> None:
    ada, bob, conversation = await opened.friends()
    again = await bob.member.post("/conversations", json={"account_id": ada.member.id})
    assert (again.status_code, again.json()["id"], again.json()["state"]) == (200, conversation, "active")
    assert again.json()["person"]["username"] == "ada"
    assert (await ada.member.get(f"/conversations/{conversation}")).json()["person"]["username"] == "bob"
    for body, expected in (
        ({"account_id": ada.member.id}, (422, "yourself")),
        ({"account_id": opened.unknown()}, (404, "no_such_person")),
        ({"account_id": "bob"}, (422, "invalid_input")),
    ):
        assert problem(await ada.member.post("/conversations", json=body)) == expected


async def test_a_stranger_asks_and_is_accepted_or_declined(opened: Correspondence) -> None:
    ada, bob = await opened.device("ada"), await opened.device("bob")
    conversation = await opened.open(ada.member, bob.member)
    assert (await states(ada.member, "active"), await states(bob.member, "active")) == (["bob"], [])
    assert await states(bob.member, "requested") == ["ada"]
    for text in (b"Hello", b"It is me"):
        assert (await ada.send(conversation, bob, text=text)).status_code == 200
    assert problem(await ada.send(conversation, bob)) == (409, "request_not_accepted")
    assert await bob.texts() == [b"Hello", b"It is me"]
    assert (await bob.member.post(f"/conversations/{conversation}/decline")).status_code == 204
    assert await states(bob.member, "declined") == ["ada"]
    assert await bob.inbox() == []
    assert await states(ada.member, "active") == ["bob"], "she does not learn of it"
    assert problem(await ada.send(conversation, bob)) == (409, "request_not_accepted")
    assert (await bob.member.post(f"/conversations/{conversation}/accept")).status_code == 204
    opened.host.forget(conversation)
    assert (await ada.send(conversation, bob, text=b"At last")).status_code == 200
    assert await bob.texts() == [b"At last"]
    assert problem(await bob.member.post(f"/conversations/{conversation}/decline")) == (409, "nothing_to_decline")


async def test_what_is_sent_to_who_has_declined_is_not_kept(opened: Correspondence) -> None:
    ada, bob = await opened.device("ada"), await opened.device("bob")
    conversation = await opened.open(ada.member, bob.member)
    assert (await bob.member.post(f"/conversations/{conversation}/decline")).status_code == 204
    assert (await ada.send(conversation, bob)).status_code == 200
    assert await opened.fetchval("select count(*) from message_payloads") == 0


async def test_to_answer_is_to_accept(opened: Correspondence) -> None:
    ada, bob = await opened.device("ada"), await opened.device("bob")
    conversation = await opened.open(ada.member, bob.member)
    assert (await bob.send(conversation, ada, text=b"Yes?")).status_code == 200
    assert await states(bob.member, "active") == ["ada"]
    for _ in range(3):
        assert (await ada.send(conversation, bob)).status_code == 200


async def test_who_follows_or_is_a_friend_is_no_stranger(vignette: Correspondence) -> None:
    """Bob follows Ada, so Ada may write to him; she does not follow him, so he asks."""
    ada, bob, cara = [await vignette.device(name) for name in ("ada", "bob", "cara")]
    assert (await bob.member.put("/follows/ada")).is_success
    await vignette.open(ada.member, bob.member)
    await vignette.open(cara.member, ada.member)
    assert await states(bob.member, "active") == ["ada"]
    assert await states(ada.member, "requested") == ["cara"]


async def test_requests_are_limited(opened: Correspondence) -> None:
    ada = await opened.environment.member("ada")
    people = [await opened.environment.member(name) for name in ("bob", "cara", "dan")]
    for person in people[:2]:
        await opened.open(ada, person)
    refused = await ada.post("/conversations", json={"account_id": people[2].id})
    assert problem(refused) == (409, "too_many_pending_conversations")
    assert await states(people[2], "requested") == []
    # What exists is found all the same, and one that is accepted makes room.
    conversation = await opened.open(ada, people[0])
    assert (await people[0].post(f"/conversations/{conversation}/accept")).status_code == 204
    await opened.open(ada, people[2])


async def test_requests_that_nobody_answers_end(opened: Correspondence) -> None:
    """Those that were declined, too: who asks does not learn which."""
    ada = await opened.device("ada")
    people = [await opened.device(name) for name in ("bob", "cara", "dan")]
    bobs, caras = [await opened.open(ada.member, person.member) for person in people[:2]]
    assert (await people[1].member.post(f"/conversations/{caras}/decline")).status_code == 204
    environment, lifetime = opened.environment, MessagingPolicy().request_lifetime
    database = environment.platform.database

    async def age(passed: timedelta) -> None:
        await database.pool.execute("update conversations set expires_at = expires_at - $1::interval", passed)
        await database.pool.execute("update conversation_members set joined_at = joined_at - $1::interval", passed)
        await sweep(database, MESSAGING.tables, environment.clock())

    refused = await ada.member.post("/conversations", json={"account_id": people[2].member.id})
    assert problem(refused) == (409, "too_many_pending_conversations")
    assert (await ada.send(bobs, people[0])).status_code == 200
    await age(lifetime - timedelta(minutes=10))
    assert sorted(await states(ada.member, "active")) == ["bob", "cara"]
    assert (await ada.send(bobs, people[0])).status_code == 200
    await age(timedelta(minutes=20))
    assert await states(ada.member, "active") == ["bob"], "the last message counts"
    await age(lifetime)
    assert await states(ada.member, "active") == []
    dans = await opened.open(ada.member, people[2].member)
    assert (await people[2].member.post(f"/conversations/{dans}/accept")).status_code == 204
    await age(2 * lifetime)
    assert await states(ada.member, "active") == ["dan"]
    assert [await states(person.member, "requested") for person in people[:2]] == [[], []]
    assert problem(await ada.send(bobs, people[0])) == (404, "no_such_conversation")
    assert await opened.open(ada.member, people[0].member) == bobs
    for _ in range(2):
        assert (await ada.send(bobs, people[0])).status_code == 200
    assert problem(await ada.send(bobs, people[0])) == (409, "request_not_accepted")
    assert (await ada.send(dans, people[2])).status_code == 200


async def attempts(who: Device, other: Device, conversation: str) -> dict[str, tuple[int, str]]:
    """What somebody is answered who tries everything with a conversation."""
    member = who.member
    answers = {
        "get": await member.get(f"/conversations/{conversation}"),
        "change": await member.patch(f"/conversations/{conversation}", json={"pinned": True}),
        "send": await who.send(conversation, other),
        "accept": await member.post(f"/conversations/{conversation}/accept"),
        "decline": await member.post(f"/conversations/{conversation}/decline"),
    }
    return {name: problem(answer) if answer.content else (answer.status_code, "") for name, answer in answers.items()}


HIDDEN = dict.fromkeys(("get", "change", "send", "accept", "decline"), (404, "no_such_conversation"))


async def test_every_relationship_on_every_path(both: Correspondence) -> None:
    """A member, the other one, a stranger, nobody; then a block, either way, and its end."""
    ada, bob, conversation = await both.friends()
    eve = await both.device("eve")
    anonymous = both.environment.anonymous
    for method, path, body in (
        ("GET", "/conversations", None),
        ("POST", "/conversations", {"account_id": ada.member.id}),
        ("GET", f"/conversations/{conversation}", None),
        ("PATCH", f"/conversations/{conversation}", {}),
        ("POST", f"/conversations/{conversation}/accept", None),
        ("POST", f"/conversations/{conversation}/decline", None),
        ("POST", f"/conversations/{conversation}/messages", {"client_id": str(uuid4()), "payloads": []}),
        ("GET", "/messaging/inbox", None),
        ("POST", "/messaging/acknowledgements", {"items": []}),
    ):
        options: dict[str, Any] = {} if body is None else {"json": body}
        assert (await anonymous.request(method, path, **options)).status_code == 401, path
    assert await attempts(eve, bob, conversation) == HIDDEN
    assert await attempts(eve, bob, both.unknown()) == HIDDEN
    await ada.send(conversation, bob, text=b"Before")
    for blocker, blocked in ((ada, bob), (bob, ada)):
        assert (await blocker.member.put(f"/blocks/{blocked.member.username}")).is_success
        for one, other in ((ada, bob), (bob, ada)):
            assert await attempts(one, other, conversation) == HIDDEN
            assert await states(one.member, "active") == []
            assert await one.inbox() == []
            again = await one.member.post("/conversations", json={"account_id": other.member.id})
            assert problem(again) == (404, "no_such_person")
        assert (await blocker.member.delete(f"/blocks/{blocked.member.username}")).is_success
    assert await states(ada.member, "active") == ["bob"]
    assert (await bob.send(conversation, ada)).status_code == 200
    assert await bob.texts() == [b"Before"], "it waits until the block ends"


async def test_an_account_that_is_not_active_is_sent_nothing(opened: Correspondence) -> None:
    ada, bob, conversation = await opened.friends()
    assert (await ada.send(conversation, bob, text=b"Before")).status_code == 200
    assert (await ada.member.post("/account/deactivate", json={"password": PASSWORD})).is_success
    assert await attempts(bob, ada, conversation) == HIDDEN
    assert (await states(bob.member, "active"), await bob.inbox()) == ([], [])
    back = await opened.environment.log_in("ada")
    phone = await opened.add_device(back)
    assert (await bob.send(conversation, ada, phone)).status_code == 200
    assert await bob.texts() == [b"Before"]


async def test_settings_are_ones_own(opened: Correspondence) -> None:
    ada, bob, conversation = await opened.friends()
    until = "2026-12-24T18:00:00Z"
    change = {"muted_until": until, "archived": True, "pinned": True}
    for body, expected in (
        (change, change),
        ({}, change),
        ({"archived": False}, {**change, "archived": False}),
        ({"muted_until": None}, {"muted_until": None, "archived": False, "pinned": True}),
    ):
        changed = (await ada.member.patch(f"/conversations/{conversation}", json=body)).json()
        assert {name: changed[name] for name in change} == expected
    hers = (await ada.member.get(f"/conversations/{conversation}")).json()
    his = (await bob.member.get(f"/conversations/{conversation}")).json()
    assert (hers["pinned"], his["pinned"]) == (True, False)


async def test_conversations_are_listed_in_pages(opened: Correspondence) -> None:
    ada, _, _ = await opened.friends()
    cara = await opened.environment.member("cara")
    await opened.connect(ada.member, cara)
    await opened.open(cara, ada.member)
    first = (await ada.member.get("/conversations", params={"limit": 1})).json()
    second = (await ada.member.get("/conversations", params={"limit": 1, "cursor": first["next_cursor"]})).json()
    names = [item["person"]["username"] for item in (*first["items"], *second["items"])]
    assert (sorted(names), second["next_cursor"]) == (["bob", "cara"], None)
