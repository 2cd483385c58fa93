"""The interface of conversations as entities."""

from collections.abc import Collection
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from features.identity import Identity
from features.messaging.model import Outgoing, Sent
from features.ports import Port


class Conversations(Protocol):
    """Conversations, each with one writer. All methods raise MessagingUnavailable."""

    async def send(self, conversation_id: UUID, sender: Identity, message: Outgoing) -> Sent:
        """Stores a message and delivers it. Returns when it is durable. Raises NoSuchConversation, NotADevice,
        MessageIdReused, DevicesChanged, RequestNotAccepted, NoDevices, MailboxFull."""

    async def typing(self, conversation_id: UUID, sender: Identity) -> None:
        """Tells the other member's sockets that this one is typing; not if the conversation is not accepted, or if they
        were told just before. Raises NoSuchConversation, NotADevice."""

    async def accept(self, conversation_id: UUID, account_id: UUID) -> None:
        """Makes a member active. Raises NoSuchConversation."""

    async def decline(self, conversation_id: UUID, account_id: UUID) -> None:
        """Declines the conversation for a member. Raises NoSuchConversation, NothingToDecline."""

    async def reload(self, conversation_ids: Collection[UUID], within: timedelta) -> None:
        """Has conversations read what others than they have stored: devices, blocks, states of accounts. One that is
        not reached within this time stores nothing that this forbids, and reads it before it stores more."""


CONVERSATIONS: Port[Conversations] = Port("conversations")
