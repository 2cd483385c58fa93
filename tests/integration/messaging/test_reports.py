"""Messages of two people are reported with what came with them: over sockets, from inboxes, and by the client."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from client.account import Account
from client.storage import AccountFolders
from crypto.envelope import Envelope, MessageContent, OpenedMessage, Protocol, open_content, seal
from crypto.randomness import SystemRandomness
from tests.integration.messaging.people import Correspondence, Device
from tests.support.correspondence import PROTECTION, running, texts, until
from tests.support.directory_epochs import directory_runs
from tests.support.environment import PASSWORD, ROOT
from tests.support.listener import listening
from tests.support.message_reports import report

RNG = SystemRandomness()


async def post(sender: Device, conversation_id: str, body: bytes, *recipients: Device) -> OpenedMessage:
    """Sends a message, whose ciphertext is its plaintext. Returns what its recipients find inside."""
    sealed = seal(MessageContent(body), RNG)
    envelope = Envelope(Protocol.SESSION, sealed.commitment, sealed.plaintext).encode()
    payloads = [{**each.address, "envelope": b64encode(envelope).decode()} for each in recipients]
    answer = await sender.member.post(
        f"/conversations/{conversation_id}/messages", json={"client_id": str(uuid4()), "payloads": payloads}
    )
    assert answer.status_code == 200, answer.text
    return open_content(sealed.plaintext, sealed.commitment)


def shown(opened: OpenedMessage, item: dict[str, Any]) -> dict[str, Any]:
    """What somebody reports who got an item."""
    franked = opened.franked
    return {
        **{name: item[name] for name in ("conversation_id", "sender_account_id", "seq", "delivery_tag")},
        "commitment": b64encode(franked.commitment).decode(),
        "opening": b64encode(franked.opening).decode(),
        "content": b64encode(franked.content).decode(),
    }


async def test_every_device_can_report_what_it_was_delivered(opened: Correspondence) -> None:
    ada, bob, conversation = await opened.friends()
    laptop = await opened.add_device(await opened.environment.log_in("bob"))
    own = await opened.add_device(await opened.environment.log_in("ada"))
    async with listening(opened.host, bob.member) as on_bob:
        vile = await post(ada, conversation, b"vile", bob, laptop, own)
        signal = await on_bob.next()
    [on_phone], [on_laptop], [on_own] = await bob.inbox(), await laptop.inbox(), await own.inbox()
    assert b64encode(signal["delivery_tag"]).decode() == on_phone["delivery_tag"] == on_laptop["delivery_tag"]
    first = await report(bob.member, shown(vile, on_phone))
    assert first.status_code == 201
    # It is the account's report, from whichever of its devices.
    assert (await bob.member.put("/blocks/ada")).is_success
    again = await report(laptop.member, shown(vile, on_laptop))
    assert (again.status_code, again.json()) == (200, first.json())
    # The copy of Ada's own device is for her, and proves nothing about anybody else.
    assert on_own["delivery_tag"] != on_phone["delivery_tag"]
    for reporter, item, code in (
        (ada, on_own, "yourself"),
        (bob, on_own, "message_not_proven"),
        (bob, {**on_phone, "sender_account_id": bob.member.id}, "yourself"),
    ):
        assert (await report(reporter.member, shown(vile, item))).json()["code"] == code


async def test_what_is_no_envelope_has_no_tag(opened: Correspondence) -> None:
    ada, bob, conversation = await opened.friends()
    await ada.send(conversation, bob, text=b"junk")
    assert [item["delivery_tag"] for item in await bob.inbox()] == [None]


async def test_a_user_reports_a_message(
    opened: Correspondence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("client.exchange._FETCH_S", 0.1)
    for name in ("ada", "bob"):
        await opened.environment.member(name)
    folders = AccountFolders(tmp_path / "accounts")
    async with directory_runs(opened.environment) as options:
        ada, bob = [
            await Account.log_in(folders, name, PROTECTION, ROOT, name, PASSWORD, **options) for name in ("ada", "bob")
        ]
        async with running(ada), running(bob):
            ada.write(await ada.conversation_with("bob"), "vile")
            await until(bob, lambda: texts(bob, "ada") == ["vile"])
        [message] = bob.conversations.messages(await bob.conversation_with("ada"))
        await bob.reports.report([message.number], "harassment")
        await bob.reports.report([message.number], "spam")
        for account in (ada, bob):
            await account.close()
    reasons = await opened.fetchval("select array_agg(reason) from message_reports")
    content = await opened.fetchval("select content from message_reports")
    assert reasons == ["harassment"]
    assert b'"vile"' in MessageContent.decode(content).body
