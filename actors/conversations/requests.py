"""What clients can ask of conversations over their sockets: to send a message, to say that somebody is typing."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from features.identity import Identity
from features.messaging.outgoing import check_devices, read_conversation, read_message
from features.messaging.ports import Conversations
from features.microseconds import microseconds_of, timestamp


class MessageRequests:
    """Implements features.realtime.ports.Requests."""

    names = ("message", "typing")

    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations

    async def perform(self, user: str, device: str, what: str, data: Mapping[str, Any]) -> Any:
        """`message` sends a message, as POST /v1/conversations/{id}/messages does, and raises the same errors. `typing`
        tells the other member so. Raises BadMessage, NoSuchConversation, NotADevice."""
        sender = Identity(UUID(user), UUID(device))
        if what == "typing":
            await self._conversations.typing(read_conversation(data), sender)
            return {}
        conversation_id, message = read_message(data)
        check_devices(message)
        sent = await self._conversations.send(conversation_id, sender, message)
        return {"seq": sent.seq, "sent_at": timestamp(microseconds_of(sent.sent_at))}
