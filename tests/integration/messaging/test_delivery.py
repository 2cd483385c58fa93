"""Signals of messages over sockets: to the devices that they are for, and to no other socket."""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from client.realtime import JSON, MSGPACK, NoResponse, RequestRefused, Signal
from features.messaging.policy import MessagingPolicy
from tests.integration.messaging.people import Correspondence, sealed
from tests.support.listener import Listener, listening


@pytest.fixture
def messaging_policy() -> MessagingPolicy:
    return MessagingPolicy(typing_pause=timedelta(hours=1))


async def test_each_device_is_signalled_what_its_inbox_has(opened: Correspondence) -> None:
    phone, bob, conversation = await opened.friends()
    laptop = await opened.add_device(await opened.environment.log_in("ada"))
    browser = await opened.environment.log_in("ada")  # a session of hers that acts for no device
    async with (
        listening(opened.host, phone.member) as on_phone,
        listening(opened.host, laptop.member, JSON) as on_laptop,
        listening(opened.host, browser) as on_browser,
        listening(opened.host, bob.member) as on_bob,
    ):
        for text in (b"one", b"two"):
            assert (await phone.send(conversation, laptop, bob, text=text)).status_code == 200
        assert (await bob.send(conversation, phone, laptop, text=b"three")).status_code == 200
        for device, listener, count in ((bob, on_bob, 2), (laptop, on_laptop, 3), (phone, on_phone, 1)):
            signalled = [await listener.next() for _ in range(count)]
            for signal in signalled:
                if isinstance(signal["envelope"], bytes):  # JSON has no bytes
                    signal["envelope"] = b64encode(signal["envelope"]).decode()
            assert signalled == await device.inbox()
        browser_device = await opened.add_device(browser)
        # The first message that is for this session is the first that it is signalled.
        assert (await bob.send(conversation, phone, laptop, browser_device, text=b"four")).status_code == 200
        assert (await on_browser.next())["seq"] == (await on_phone.next())["seq"]


async def test_a_large_envelope_is_read_from_the_inbox(opened: Correspondence) -> None:
    ada, bob, conversation = await opened.friends()
    text = b"x" * (MessagingPolicy().max_signal_bytes + 1)
    async with listening(opened.host, bob.member) as listener:
        await ada.send(conversation, bob, text=text)
        signal = await listener.next()
    [item] = await bob.inbox()
    assert signal == {**item, "envelope": None}
    assert await bob.texts() == [text]


async def test_a_message_is_sent_although_live_sessions_are_not_reached(
    opened: Correspondence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.conversations.effects.SESSIONS", "a kind that nobody hosts")
    ada, bob, conversation = await opened.friends()
    assert (await ada.send(conversation, bob, text=b"Hello")).status_code == 200
    assert await bob.texts() == [b"Hello"]


async def test_messages_are_sent_over_sockets_as_over_http(opened: Correspondence) -> None:
    ada, bob, conversation = await opened.friends()
    id = str(uuid4())
    payload = {**bob.address, "envelope": b64decode(sealed(bob, b"Hello"))}
    message: dict[str, Any] = {"conversation_id": conversation, "client_id": id, "payloads": [payload]}
    for subprotocol in (MSGPACK, JSON):
        async with listening(opened.host, ada.member, subprotocol) as listener:
            reading = asyncio.create_task(listener.next())  # no signal is for the sender

            async def refused(what: str = "message", **changes: Any) -> dict[str, Any]:
                with pytest.raises(RequestRefused) as error:
                    await listener.client.request(what, {**message, **changes})
                return error.value.problem

            if subprotocol == JSON:
                payload["envelope"] = sealed(bob, b"Hello")
            first = await listener.client.request("message", message)
            assert await listener.client.request("message", message) == first
            assert (await ada.send(conversation, bob, client_id=id, text=b"Hello")).json() == first
            reused = await refused(expires_in_s=5)
            assert (reused["code"], reused["current"]) == ("message_id_reused", first)
            changed = await refused(client_id=str(uuid4()), payloads=[{**payload, "device": 7}])
            assert (changed["code"], changed["current"]) == ("devices_changed", {"devices": [bob.address]})
            assert (await refused(payloads=[payload, payload]))["code"] == "duplicate_device"
            assert (await refused(conversation_id=opened.unknown()))["code"] == "no_such_conversation"
            assert (await refused("nothing"))["code"] == "unknown_request"
            for change, field in (
                ({"conversation_id": "1"}, "conversation_id"),
                ({"client_id": 1}, "client_id"),
                ({"payloads": []}, "payloads"),
                ({"payloads": [1]}, "payloads.0"),
                ({"payloads": [{**payload, "device": True}]}, "payloads.0.device"),
                ({"payloads": [{**payload, "account_id": None}]}, "payloads.0.account_id"),
                ({"payloads": [{**payload, "envelope": ""}]}, "payloads.0.envelope"),
                ({"payloads": [{**payload, "envelope": "%"}]}, "payloads.0.envelope"),
                ({"expires_in_s": 0}, "expires_in_s"),
            ):
                problem = await refused(**change)
                assert (problem["code"], problem["field"]) == ("invalid_input", field)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
    with pytest.raises(NoResponse):
        await listener.client.request("message", message)
    assert await bob.texts() == [b"Hello"]


async def test_typing_is_told_to_the_other_and_is_not_kept(both: Correspondence) -> None:
    ada, bob, conversation = await both.friends()
    laptop = await both.add_device(await both.environment.log_in("ada"))
    eve, browser = await both.environment.member("eve"), await both.environment.log_in("ada")
    async with (
        listening(both.host, ada.member) as on_ada,
        listening(both.host, laptop.member) as on_laptop,
        listening(both.host, bob.member, JSON) as on_bob,
        listening(both.host, eve) as on_eve,
        listening(both.host, browser) as on_browser,
    ):
        for listener in (on_ada, on_eve, on_browser):
            listener.follow_responses()

        async def problem(listener: Listener, data: dict[str, Any]) -> tuple[str, str | None]:
            with pytest.raises(RequestRefused) as error:
                await listener.client.request("typing", data)
            return error.value.code, error.value.problem.get("field")

        typing = {"conversation_id": conversation}
        for _ in range(3):  # the second and third come too soon
            assert await on_ada.client.request("typing", typing) == {}
        assert await problem(on_eve, typing) == ("no_such_conversation", None)
        assert (await problem(on_browser, typing))[0] == "not_a_device"
        assert await problem(on_ada, {"conversation_id": both.unknown()}) == ("no_such_conversation", None)
        assert await problem(on_ada, {"conversation_id": 1}) == ("invalid_input", "conversation_id")
        # What is signalled first to each: to Bob that Ada is typing, once; to her other device nothing of it.
        assert (await ada.send(conversation, laptop, bob)).status_code == 200
        assert await on_bob.signal() == Signal("typing", {**typing, "account_id": ada.member.id})
        assert {(await on_bob.signal()).kind, (await on_laptop.signal()).kind} == {"message"}
        assert [len(await device.inbox()) for device in (bob, laptop, ada)] == [1, 1, 0]
        for blocker, blocked in ((ada, bob), (bob, ada)):
            assert (await blocker.member.put(f"/blocks/{blocked.member.username}")).is_success
            assert await problem(on_ada, typing) == ("no_such_conversation", None)
            assert (await blocker.member.delete(f"/blocks/{blocked.member.username}")).is_success


async def test_who_has_not_accepted_is_not_told_of_typing(opened: Correspondence) -> None:
    ada, bob = await opened.device("ada"), await opened.device("bob")
    conversation = await opened.open(ada.member, bob.member)
    async with listening(opened.host, ada.member) as on_ada, listening(opened.host, bob.member) as on_bob:
        on_ada.follow_responses()
        assert await on_ada.client.request("typing", {"conversation_id": conversation}) == {}
        assert (await ada.send(conversation, bob)).status_code == 200
        assert (await on_bob.signal()).kind == "message"
