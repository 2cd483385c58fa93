"""Reports of messages over HTTP (docs/messaging.md)."""

import base64
from collections.abc import Sequence
from uuid import UUID

from client.api.connection import Connection
from client.messaging.evidence import Evidence

MAX_MESSAGES = 10
"""Of one request."""


class MessageReportsApi:
    """Requests of a session."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def report(self, reason: str, messages: Sequence[Evidence]) -> None:
        """Shows up to MAX_MESSAGES messages to the moderators, again without harm. Raises ApiError, NoResponse or
        SignedOut."""
        body = {"reason": reason, "messages": [_message(each) for each in messages]}
        await self._connection.request("POST", "/message-reports", body)


def _message(evidence: Evidence) -> dict[str, object]:
    franked = evidence.franked
    return {
        "conversation_id": str(UUID(evidence.conversation_id)),
        "sender_account_id": str(UUID(evidence.sender)),
        "seq": evidence.seq,
        "commitment": _encode(franked.commitment),
        "opening": _encode(franked.opening),
        "content": _encode(franked.content),
        "delivery_tag": _encode(evidence.delivery_tag),
    }


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()
