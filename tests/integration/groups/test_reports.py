"""Messages of groups are reported by those who got them: members, and those who have been some."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from crypto.envelope import MessageContent, open_content, seal
from crypto.mls import Remove
from tests.integration.groups.conftest import Groups
from tests.support.devices import RNG
from tests.support.message_reports import report


async def test_who_has_got_a_message_reports_it(opened: Groups) -> None:
    id, (ada, bob, cara) = await opened.group_of("ada", "bob", "cara")
    [eve] = await opened.people("eve")
    sealed = seal(MessageContent(b"vile"), RNG)
    message = ada.groups[id].encrypt(sealed.plaintext, sealed.commitment)
    assert (await ada.send_sealed(id, message)).is_success
    franked = open_content(sealed.plaintext, sealed.commitment).franked

    def shown(item: dict[str, Any]) -> dict[str, Any]:
        return {
            **{name: item[name] for name in ("conversation_id", "sender_account_id", "seq", "delivery_tag")},
            "commitment": b64encode(franked.commitment).decode(),
            "opening": b64encode(franked.opening).decode(),
            "content": b64encode(franked.content).decode(),
        }

    [to_bob], [to_cara] = await bob.inbox(), await cara.inbox()
    assert to_bob["delivery_tag"] != to_cara["delivery_tag"]
    await bob.read()
    # Bob is removed, and has read that: the server does not know any more that he was there, but he can prove it.
    await ada.accept(id, Remove(bob.groups[id].own_leaf))
    await bob.read()
    assert await opened.fetchval("select count(*) from group_devices where account_id = $1", bob.member.id) == 0
    assert (await bob.member.get(f"/groups/{id}")).status_code == 404
    for reporter, item, status in (
        (bob, to_bob, 201),
        (bob, to_bob, 200),
        (cara, to_cara, 201),
        (cara, to_bob, 422),
        (eve, to_bob, 422),
        (ada, to_bob, 422),
    ):
        assert (await report(reporter.member, shown(item))).status_code == status
    senders = await opened.fetchval("select array_agg(sender_account_id::text) from message_reports")
    assert senders == [ada.member.id] * 2


async def test_commits_and_bare_messages_have_no_tag(opened: Groups) -> None:
    id, (ada, bob) = await opened.group_of("ada", "bob")
    assert (await ada.send(id, b"without a commitment")).is_success
    await ada.accept(id)
    assert [(item["content"], item["delivery_tag"]) for item in await bob.inbox()] == [
        ("application", None),
        ("commit", None),
    ]
