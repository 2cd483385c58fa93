"""Calls to conversation entities through the runtime's router."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import timedelta
from typing import Any, NoReturn
from uuid import UUID

import structlog

from actors.conversations.entity import KIND_NAME
from actors.runtime import CallError, EntityFailed
from actors.runtime.transport.router import Router
from actors.runtime.value import Value
from cluster.postgres import Database
from features.devices.errors import NotADevice
from features.identity import Identity
from features.messaging.errors import (
    DevicesChanged,
    MailboxFull,
    MessageIdReused,
    MessagingUnavailable,
    NoDevices,
    NoSuchConversation,
    NothingToDecline,
    RequestNotAccepted,
)
from features.messaging.model import Outgoing, Sent
from features.microseconds import time_of, timestamp

log = structlog.get_logger(__name__)

_SEND_S = 10.0
_RELOADS_AT_ONCE = 256


class ConversationCalls:
    """Implements features.messaging.ports.Conversations."""

    def __init__(self, router: Router) -> None:
        self._router = router

    async def send(self, conversation_id: UUID, sender: Identity, message: Outgoing) -> Sent:
        """See Conversations.send."""
        payloads = [
            [envelope.device.account_id.bytes, envelope.device.number, envelope.ciphertext]
            for envelope in message.envelopes
        ]
        seq, sent_at = await self._call(
            *(conversation_id, "send", sender.account_id.bytes, sender.session_id.bytes),
            *(message.client_id.bytes, message.expires_in_s, payloads),
        )
        return Sent(seq, time_of(sent_at))

    async def typing(self, conversation_id: UUID, sender: Identity) -> None:
        """See Conversations.typing."""
        await self._call(conversation_id, "typing", sender.account_id.bytes, sender.session_id.bytes)

    async def accept(self, conversation_id: UUID, account_id: UUID) -> None:
        """See Conversations.accept."""
        await self._call(conversation_id, "accept", account_id.bytes)

    async def decline(self, conversation_id: UUID, account_id: UUID) -> None:
        """See Conversations.decline."""
        await self._call(conversation_id, "decline", account_id.bytes)

    async def reload(self, conversation_ids: Collection[UUID], within: timedelta) -> None:
        """See Conversations.reload."""
        ids = list(conversation_ids)
        try:
            async with asyncio.timeout(within.total_seconds()):
                for start in range(0, len(ids), _RELOADS_AT_ONCE):
                    await asyncio.gather(*(self._call(id, "reload") for id in ids[start : start + _RELOADS_AT_ONCE]))
        except TimeoutError:
            raise MessagingUnavailable from None

    async def _call(self, conversation_id: UUID, operation: str, *arguments: Value) -> Any:
        """Calls an operation, again if the entity had to read first, or failed since what it knew was outdated. Returns
        its result, or raises the error that it replied."""
        if not self._router.view.version:
            raise MessagingUnavailable
        try:
            try:
                reply = await self._router.call(KIND_NAME, conversation_id.hex, [operation, False, *arguments], _SEND_S)
            except EntityFailed:
                reply = None
            if reply is None:
                reply = await self._router.call(KIND_NAME, conversation_id.hex, [operation, True, *arguments], _SEND_S)
        except CallError as error:
            log.warning("conversation not reached", error=type(error).__name__)
            raise MessagingUnavailable from error
        code, detail = reply
        return detail if code in ("sent", "done") else _refuse(code, detail)


def _refuse(code: str, detail: Any) -> NoReturn:
    """Raises the error that an entity replied."""
    match code:
        case "not_found":
            raise NoSuchConversation
        case "not_a_device":
            raise NotADevice
        case "id_reused":
            seq, sent_at = detail
            raise MessageIdReused({"seq": seq, "sent_at": timestamp(sent_at)})
        case "devices_changed":
            devices = [{"account_id": str(UUID(bytes=account)), "device": number} for account, number in detail]
            raise DevicesChanged({"devices": devices})
        case "not_accepted":
            raise RequestNotAccepted
        case "unreachable":
            raise NoDevices
        case "mailbox_full":
            raise MailboxFull
        case "not_requested":
            raise NothingToDecline
        case _:
            raise MessagingUnavailable(f"an answer that this version does not know: {code}")


def open_calls(router: Router, _database: Database) -> ConversationCalls:
    """Returns the conversations of a process."""
    return ConversationCalls(router)
