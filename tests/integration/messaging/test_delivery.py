"""Signals of messages over sockets: to the devices that they are for, and to no other socket."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from client.realtime import JSON, MSGPACK, Received, Resync, Signal
from features.messaging.policy import MessagingPolicy
from tests.integration.messaging.people import Correspondence
from tests.support.member import Member


class Listener:
    """A socket of a sign-in session, and the messages that came over it."""

    def __init__(self, received: AsyncIterator[Received]) -> None:
        self._received = received

    async def next(self) -> dict[str, Any]:
        """The next message that is signalled."""
        async with asyncio.timeout(60):
            async for one in self._received:
                if isinstance(one, Signal) and one.kind == "message":
                    return dict(one.data)
        raise AssertionError("the socket has ended")

    async def attached(self) -> None:
        async with asyncio.timeout(60):
            async for one in self._received:
                if isinstance(one, Resync):
                    return


@asynccontextmanager
async def listening(opened: Correspondence, member: Member, subprotocol: Any = MSGPACK) -> AsyncIterator[Listener]:
    async with opened.host.client(member, subprotocol=subprotocol) as client:
        listener = Listener(aiter(client))
        await listener.attached()
        yield listener


async def test_each_device_is_signalled_what_its_inbox_has(opened: Correspondence) -> None:
    phone, bob, conversation = await opened.friends()
    laptop = await opened.add_device(await opened.environment.log_in("ada"))
    browser = await opened.environment.log_in("ada")  # a session of hers that acts for no device
    async with (
        listening(opened, phone.member) as on_phone,
        listening(opened, laptop.member, JSON) as on_laptop,
        listening(opened, browser) as on_browser,
        listening(opened, bob.member) as on_bob,
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
    async with listening(opened, bob.member) as listener:
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
