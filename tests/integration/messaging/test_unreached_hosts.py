"""Blocks and devices that change while a conversation's host is not reached: what it knows is then outdated, and it
stores nothing by that."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from actors.conversations.calls import ConversationCalls
from features.devices.events import DeviceRemoved
from features.events import publish
from tests.integration.messaging.people import Correspondence
from tests.integration.messaging.test_pairs import problem


@pytest.fixture(autouse=True)
def _unreached(monkeypatch: pytest.MonkeyPatch) -> None:
    """No call that tells a conversation of a change is answered."""
    call: Callable[..., Awaitable[Any]] = ConversationCalls._call

    async def cut(calls: ConversationCalls, id: UUID, operation: str, *arguments: Any) -> Any:
        if operation == "reload":
            await asyncio.Event().wait()
        return await call(calls, id, operation, *arguments)

    monkeypatch.setattr(ConversationCalls, "_call", cut)


async def test_nothing_is_stored_after_a_block(both: Correspondence) -> None:
    ada, bob, conversation = await both.friends()
    assert (await ada.send(conversation, bob, text=b"Before")).status_code == 200
    async with asyncio.timeout(60):  # and not for as long as nobody answers
        assert (await bob.member.put("/blocks/ada")).is_success
    assert not both.host.entity(conversation).conversation.apart, "it has not learned of it"
    for one, other in ((ada, bob), (bob, ada)):
        assert problem(await one.send(conversation, other)) == (404, "no_such_conversation")
    assert await both.fetchval("select count(*) from messages") == 1
    assert (await bob.member.delete("/blocks/ada")).is_success
    assert (await ada.send(conversation, bob, text=b"After")).status_code == 200
    assert await bob.texts() == [b"Before", b"After"]


async def test_a_removed_device_sends_nothing(opened: Correspondence) -> None:
    ada, bob, conversation = await opened.friends()
    stolen = await opened.add_device(await opened.environment.log_in("ada"))
    assert (await stolen.send(conversation, ada, bob)).status_code == 200
    platform, account = opened.environment.platform, UUID(ada.member.id)
    async with platform.database.unit_of_work() as uow:
        await uow.execute("delete from devices where account_id = $1 and number = $2", account, stolen.number)
        publish(uow, DeviceRemoved(account, stolen.number), opened.environment.clock())
        await uow.commit()
    assert problem(await stolen.send(conversation, ada, bob)) == (409, "not_a_device")
    assert (await ada.send(conversation, bob)).status_code == 200


async def test_a_new_device_misses_nothing(opened: Correspondence) -> None:
    """Whoever sends without knowing of it is told."""
    ada, bob, conversation = await opened.friends()
    assert (await ada.send(conversation, bob)).status_code == 200
    tablet = await opened.add_device(await opened.environment.log_in("bob"))
    refused = await ada.send(conversation, bob)
    assert problem(refused) == (409, "devices_changed")
    assert refused.json()["current"] == {"devices": [bob.address, tablet.address]}
    assert (await ada.send(conversation, bob, tablet, text=b"Both")).status_code == 200
    assert await tablet.texts() == [b"Both"]
