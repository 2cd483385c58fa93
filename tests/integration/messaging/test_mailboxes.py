"""How much may wait for a device, and what is kept of a conversation's past."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from features.messaging.policy import MessagingPolicy
from tests.integration.messaging.people import Correspondence, Device
from tests.integration.messaging.test_pairs import problem

_MANY = """
insert into messages (conversation_id, seq, sender_account_id, sender_device, client_id, digest, sent_at)
select $1, (extract(epoch from now()) * 1000000)::bigint + number, $2, 1, gen_random_uuid(), '\\x00', now()
from generate_series(1, 1000) as number
"""


@pytest.fixture
def messaging_policy() -> MessagingPolicy:
    return MessagingPolicy(
        max_waiting=6,
        max_waiting_of_conversation=4,
        max_waiting_bytes_of_conversation=10_000,
        recounted_after=2,
        recount_pause=timedelta(0),
    )


async def fill(sender: Device, recipient: Device, conversation: str, count: int) -> None:
    for _ in range(count):
        assert (await sender.send(conversation, recipient)).status_code == 200


async def test_a_full_mailbox_takes_messages_again_once_its_device_was_online(opened: Correspondence) -> None:
    ada, bob, conversation = await opened.friends()
    await fill(ada, bob, conversation, 4)
    id = str(uuid4())
    assert problem(await ada.send(conversation, bob, client_id=id)) == (409, "mailbox_full")
    assert len(await bob.inbox()) == 4
    opened.host.forget(conversation)
    assert problem(await ada.send(conversation, bob, client_id=id)) == (409, "mailbox_full")
    await bob.acknowledge((await bob.inbox())[0])
    assert (await ada.send(conversation, bob, client_id=id)).status_code == 200
    await bob.acknowledge(*await bob.inbox())
    assert (await ada.send(conversation, bob, text=b"x" * 9_000)).status_code == 200
    assert problem(await ada.send(conversation, bob, text=b"x" * 2_000)) == (409, "mailbox_full")
    assert (await bob.send(conversation, ada)).status_code == 200, "the other direction has room"


async def test_a_device_has_one_mailbox_for_all_conversations(opened: Correspondence) -> None:
    ada, bob, conversation = await opened.friends()
    cara = await opened.device("cara")
    await opened.connect(cara.member, bob.member)
    another = await opened.open(cara.member, bob.member)
    await fill(ada, bob, conversation, 4)
    await fill(cara, bob, another, 2)
    assert problem(await cara.send(another, bob)) == (409, "mailbox_full")


async def test_a_full_device_holds_up_no_other(opened: Correspondence) -> None:
    ada, bob, conversation = await opened.friends()
    tablet = await opened.add_device(await opened.environment.log_in("bob"))
    for _ in range(5):
        assert (await ada.send(conversation, bob, tablet)).status_code == 200
        await bob.acknowledge(*await bob.inbox())
    assert len(await tablet.inbox()) == 4
    await tablet.acknowledge(*await tablet.inbox())
    assert (await ada.send(conversation, bob, tablet, text=b"again")).status_code == 200
    assert await tablet.texts() == [b"again"]


async def test_the_messages_of_a_device_are_remembered_however_many_others_come(opened: Correspondence) -> None:
    ada, bob, conversation = await opened.friends()
    ids = [str(uuid4()) for _ in range(3)]
    answers = [(await ada.send(conversation, bob, client_id=id)).json() for id in ids]
    pool = opened.environment.platform.database.pool
    await pool.execute(_MANY, UUID(conversation), UUID(bob.member.id))
    opened.host.forget(conversation)
    assert [(await ada.send(conversation, bob, client_id=id)).json() for id in ids] == answers
    newest = await opened.fetchval("select max(seq) from messages")
    assert (await ada.send(conversation, bob)).json()["seq"] > newest
