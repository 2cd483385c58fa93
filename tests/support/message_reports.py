"""Messages as their recipients report them, where no conversation is needed to have them delivered."""

from __future__ import annotations

from base64 import b64encode
from typing import Any
from uuid import UUID

import httpx

from crypto.envelope import MessageContent
from crypto.franking import FrankedMessage
from crypto.randomness import SystemRandomness
from features.delivery_tags import Delivered, DeliveryTags
from features.microseconds import microseconds_of
from tests.support.environment import CLUSTER_SECRET, Environment
from tests.support.member import Member


def proven(
    environment: Environment, sender: Member, recipient: Member, conversation_id: str, body: bytes = b"vile"
) -> dict[str, Any]:
    """What the recipient reports of a message, with the tag with which the server has delivered it."""
    tags = DeliveryTags.of_brand(CLUSTER_SECRET.encode(), environment.brand.name)
    franked = FrankedMessage.frank(MessageContent(body).encode(), SystemRandomness())
    delivered = Delivered(UUID(conversation_id), UUID(sender.id), microseconds_of(environment.clock()))
    tag = tags.tag(franked.commitment, delivered, UUID(recipient.id))
    assert tag is not None
    return {
        "conversation_id": str(delivered.conversation_id),
        "sender_account_id": str(delivered.sender_id),
        "seq": delivered.seq,
        "commitment": b64encode(franked.commitment).decode(),
        "opening": b64encode(franked.opening).decode(),
        "content": b64encode(franked.content).decode(),
        "delivery_tag": b64encode(tag).decode(),
    }


async def report(reporter: Member, *messages: dict[str, Any], reason: str = "harassment") -> httpx.Response:
    return await reporter.post("/message-reports", json={"reason": reason, "messages": list(messages)})
