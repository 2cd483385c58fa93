"""Messages of two people over HTTP: stored once, delivered to each device, deleted once acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from actors.conversations.effects import ConversationEffects
from actors.runtime import Turn
from cluster.postgres import UnitOfWork
from cluster.retention import sweep
from features.devices.events import DeviceRemoved
from features.events import publish
from features.messaging.feature import MESSAGING
from features.messaging.model import MAX_ENVELOPE_BYTES
from features.messaging.policy import MessagingPolicy
from tests.integration.messaging.people import Correspondence, Device, sealed
from tests.support.devices import link_device, publish_prekeys, register_first_device
from tests.support.environment import Environment

Problem = tuple[int, str]


def problem(answer: Any) -> Problem:
    return answer.status_code, answer.json()["code"]


async def test_a_message_reaches_every_device_but_the_senders(opened: Correspondence) -> None:
    phone, bob, conversation = await opened.friends()
    laptop = await opened.add_device(await opened.environment.log_in("ada"))
    first = await phone.send(conversation, laptop, bob, text=b"Hello")
    second = await bob.send(conversation, phone, laptop, text=b"Hi")
    assert first.status_code == second.status_code == 200, first.text + second.text
    assert Environment.statements(first) == 0, "the gateway asks Postgres nothing"
    assert first.json()["seq"] < second.json()["seq"]
    assert [await each.texts() for each in (phone, laptop, bob)] == [[b"Hi"], [b"Hello", b"Hi"], [b"Hello"]]
    [item] = await bob.inbox()
    assert (item["conversation_id"], item["seq"], item["previous"]) == (conversation, first.json()["seq"], 0)
    assert (item["sender_account_id"], item["sender_device"]) == (phone.member.id, phone.number)
    assert (item["other_account_id"], item["sent_at"]) == (phone.member.id, first.json()["sent_at"])
    assert [item["previous"] for item in await laptop.inbox()] == [0, first.json()["seq"]]


async def test_an_inbox_is_read_in_pages_and_emptied_by_acknowledgements(opened: Correspondence) -> None:
    ada, bob, conversation = await opened.friends()
    cara = await opened.device("cara")
    other = await opened.open(cara.member, bob.member)
    for number in range(5):
        sender, where = ((ada, conversation), (cara, other))[number % 2]
        assert (await sender.send(where, bob, text=b"%d" % number)).status_code == 200
    page = await bob.member.get("/messaging/inbox", params={"limit": 2})
    assert (len(page.json()["items"]), Environment.statements(page)) == (2, 3)
    assert await bob.texts() == [b"0", b"1", b"2", b"3", b"4"]
    items = await bob.inbox()
    assert Environment.statements(await bob.acknowledge(items[2], items[1])) == 2
    assert await bob.texts() == [b"3", b"4"]
    # Again, and what is not there: nothing happens.
    assert (await bob.acknowledge(items[0], {"conversation_id": opened.unknown(), "seq": 1})).status_code == 204
    assert await bob.texts() == [b"3", b"4"]
    assert (await bob.acknowledge(*items)).status_code == 204
    assert await bob.inbox() == []
    assert await opened.fetchval("select count(*) from message_payloads") == 0


async def test_nobody_acknowledges_for_another_device(opened: Correspondence) -> None:
    ada, bob, conversation = await opened.friends()
    await ada.send(conversation, bob, text=b"Hello")
    [item] = await bob.inbox()
    assert (await ada.acknowledge(item)).status_code == 204
    second = await opened.add_device(await opened.environment.log_in("bob"))
    assert (await second.acknowledge(item)).status_code == 204
    assert await second.inbox() == []
    assert await bob.texts() == [b"Hello"]


async def test_a_repeated_message_is_stored_once_whatever_happens_in_between(opened: Correspondence) -> None:
    ada, bob, conversation = await opened.friends()
    id = str(uuid4())
    answers = await asyncio.gather(*(ada.send(conversation, bob, client_id=id) for _ in range(8)))
    assert {answer.text for answer in answers} == {answers[0].text}
    opened.host.forget(conversation)
    assert (await ada.send(conversation, bob, client_id=id)).text == answers[0].text
    await bob.acknowledge(*await bob.inbox())
    await opened.add_device(await opened.environment.log_in("bob"))
    assert (await ada.send(conversation, bob, client_id=id)).text == answers[0].text
    assert await bob.inbox() == []
    reused = await ada.send(conversation, bob, client_id=id, text=b"something else")
    assert problem(reused) == (409, "message_id_reused")
    assert reused.json()["current"] == answers[0].json()
    # The same id of another device is another message.
    assert (await bob.send(conversation, ada, client_id=id)).status_code == 409  # there is a second device of Bob's
    assert await opened.fetchval("select count(*) from messages") == 1


async def test_messages_that_are_ready_together_are_stored_by_two_statements(
    opened: Correspondence, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob, conversation = await opened.friends()
    await ada.send(conversation, bob)
    write, written = ConversationEffects.write, list[tuple[int, int]]()

    async def counting(effects: ConversationEffects, transaction: UnitOfWork, turns: Sequence[Turn]) -> None:
        before = transaction.statements
        await write(effects, transaction, turns)
        messages = sum(len(turn.effects) for turn in turns)
        written.append((messages, transaction.statements - before))

    monkeypatch.setattr(ConversationEffects, "write", counting)
    answers = await asyncio.gather(*(ada.send(conversation, bob) for _ in range(12)))
    assert {answer.status_code for answer in answers} == {200}
    assert sum(messages for messages, _ in written) == 12
    assert {statements for _, statements in written} == {2}


async def test_numbers_go_on_after_a_crash(opened: Correspondence) -> None:
    ada, bob, conversation = await opened.friends()
    numbers = []
    for _ in range(4):
        numbers.append((await ada.send(conversation, bob)).json()["seq"])
        opened.host.forget(conversation)
    assert numbers == sorted(set(numbers))
    assert [item["seq"] for item in await bob.inbox()] == numbers


async def test_a_device_without_prekeys_keeps_no_message_from_its_account(opened: Correspondence) -> None:
    ada = await opened.device("ada")
    bob, tablet = await opened.environment.member("bob"), await opened.environment.log_in("bob")
    await opened.connect(ada.member, bob)
    conversation = await opened.open(ada.member, bob)
    on_phone = await register_first_device(bob)
    phone, now = Device(bob, on_phone.number), int(opened.environment.clock().timestamp())
    assert problem(await ada.send(conversation, phone)) == (409, "no_devices")
    await publish_prekeys(on_phone, 1, now)
    assert (await ada.send(conversation, phone)).status_code == 200

    on_tablet = await link_device(on_phone, tablet)
    assert (await ada.send(conversation, phone)).status_code == 200
    assert (await phone.send(conversation, ada)).status_code == 200
    await publish_prekeys(on_tablet, 1, now)
    assert problem(await ada.send(conversation, phone)) == (409, "devices_changed")
    assert (await ada.send(conversation, phone, Device(tablet, on_tablet.number))).status_code == 200
    await publish_prekeys(on_tablet, 1, now)
    events = await opened.fetchval("select count(*) from outbox where type = 'devices.reachable'")
    assert events == 2, "the first prekeys of each device"


async def test_a_message_is_for_exactly_the_present_devices(opened: Correspondence) -> None:
    ada, bob, conversation = await opened.friends()
    assert (await ada.send(conversation, bob)).status_code == 200
    tablet = await opened.add_device(await opened.environment.log_in("bob"))
    cara = await opened.device("cara")
    for devices in ((bob, tablet, ada), (bob, tablet, cara), (tablet,)):
        refused = await ada.send(conversation, *devices)
        assert problem(refused) == (409, "devices_changed")
        assert refused.json()["current"] == {"devices": [bob.address, tablet.address]}
    assert problem(await ada.send(conversation, bob, bob)) == (422, "duplicate_device")
    assert (await ada.send(conversation, bob, tablet)).status_code == 200
    assert (len(await bob.inbox()), len(await tablet.inbox())) == (2, 1)


async def test_who_has_no_device_neither_writes_nor_reads(opened: Correspondence) -> None:
    ada, bob, conversation = await opened.friends()
    browser = await opened.environment.log_in("ada")
    payloads = [{**bob.address, "envelope": sealed(bob, b"x")}]
    body = {"client_id": str(uuid4()), "payloads": payloads}
    assert problem(await browser.post(f"/conversations/{conversation}/messages", json=body)) == (409, "not_a_device")
    assert problem(await browser.get("/messaging/inbox")) == (409, "not_a_device")
    item = {"conversation_id": conversation, "seq": 1}
    refused = await browser.post("/messaging/acknowledgements", json={"items": [item]})
    assert problem(refused) == (409, "not_a_device")
    cara = await opened.environment.member("cara")
    alone = await opened.open(ada.member, cara)
    assert problem(await ada.send(alone, bob)) == (409, "no_devices")


BAD_INPUT: list[tuple[dict[str, Any], str]] = [
    ({"client_id": "1"}, "client_id"),
    ({"payloads": []}, "payloads"),
    ({"expires_in_s": 0}, "expires_in_s"),
    ({"plaintext": "Hello"}, "plaintext"),
    ({"envelope": "%"}, "payloads.0.envelope"),
    ({"envelope": ""}, "payloads.0.envelope"),
    ({"envelope": "A" * (MAX_ENVELOPE_BYTES // 3 * 4 + 8)}, "payloads.0.envelope"),
    ({"device": 0}, "payloads.0.device"),
    ({"account_id": "ada"}, "payloads.0.account_id"),
]


async def test_bad_input_is_named(opened: Correspondence) -> None:
    ada, bob, conversation = await opened.friends()
    for change, field in BAD_INPUT:
        payload = {**bob.address, "envelope": sealed(bob, b"x")}
        body: dict[str, Any] = {"client_id": str(uuid4()), "payloads": [payload]}
        (payload if field.startswith("payloads.") else body).update(change)
        refused = await ada.member.post(f"/conversations/{conversation}/messages", json=body)
        assert problem(refused) == (422, "invalid_input"), field
        assert refused.json()["errors"][0]["field"] == field
    assert await opened.fetchval("select count(*) from messages") == 0


async def test_the_largest_message_is_stored(opened: Correspondence) -> None:
    ada, bob, conversation = await opened.friends()
    text = b"\xff" * (MAX_ENVELOPE_BYTES - len(sealed(bob, b"")) - 8)
    assert (await ada.send(conversation, bob, text=text)).status_code == 200
    assert await bob.texts() == [text]


async def test_ciphertext_that_nobody_fetches_expires(opened: Correspondence) -> None:
    ada, bob, conversation = await opened.friends()
    await ada.send(conversation, bob, text=b"soon", expires_in_s=60)
    await ada.send(conversation, bob, text=b"later")
    clock, platform = opened.environment.clock, opened.environment.platform
    started = clock()
    # What is stored has the host's time, which is no test's to change.
    clock.advance(timedelta(minutes=3))
    assert await bob.texts() == [b"later"]
    policy = MessagingPolicy()
    later = started + policy.remembered + timedelta(minutes=1)
    await sweep(platform.database, MESSAGING.tables, later)
    assert await opened.fetchval("select count(*) from messages") == 0
    assert await opened.fetchval("select count(*) from message_payloads") == 1
    await sweep(platform.database, MESSAGING.tables, started + policy.undelivered + timedelta(minutes=1))
    assert await opened.fetchval("select count(*) from message_payloads") == 0


async def test_a_device_that_is_removed_leaves_nothing(opened: Correspondence) -> None:
    ada, bob, conversation = await opened.friends()
    tablet = await opened.add_device(await opened.environment.log_in("bob"))
    await ada.send(conversation, bob, tablet)
    platform, bob_id = opened.environment.platform, UUID(bob.member.id)
    async with platform.database.unit_of_work() as uow:
        await uow.execute("delete from devices where account_id = $1 and number = 2", bob_id)
        publish(uow, DeviceRemoved(bob_id, 2), opened.environment.clock())
        await uow.commit()
    # Before the response to the removal, without a refusal to learn it from.
    assert len(opened.host.entity(conversation).conversation.devices) == 2
    assert (await ada.send(conversation, bob)).status_code == 200
    await opened.environment.drain()
    assert await opened.fetchval("select count(*) from message_payloads where device = 2") == 0
    assert len(await bob.inbox()) == 2


async def test_without_conversations_nothing_is_sent(entativa: Environment) -> None:
    """A gateway that does not reach the entities says so; inboxes are read."""
    ada, bob = [await entativa.member(name) for name in ("ada", "bob")]
    conversation = (await ada.post("/conversations", json={"account_id": bob.id})).json()["id"]
    payload = {"account_id": bob.id, "device": 1, "envelope": "AAAA"}
    body = {"client_id": str(uuid4()), "payloads": [payload]}
    for what, sent in (("messages", body), ("accept", {}), ("decline", {})):
        refused = await ada.post(f"/conversations/{conversation}/{what}", json=sent)
        assert problem(refused) == (503, "messaging_unavailable")
        assert "Retry-After" in refused.headers
