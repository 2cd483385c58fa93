"""What live sessions are told: each device its own ciphertext, by the session that acts for it, and who is typing."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from features.delivery_tags import Delivered, DeliveryTags, commitment_of_envelope
from features.messaging.machine import Conversation
from features.messaging.records import Address, Message
from features.microseconds import timestamp


def signals_of(
    conversation_id: UUID, conversation: Conversation, messages: Sequence[Message], tags: DeliveryTags
) -> dict[UUID, dict[str, list[Any]]]:
    """Returns the data of the signals for each account, by the sessions of its devices. It has the members of an item
    of an inbox (api/inbox_items.py); the envelope is None where it is too large for a socket."""
    signals: dict[UUID, dict[str, list[Any]]] = {}
    for message in messages:
        accepted = message.accepted
        sender_id, client_id = str(UUID(bytes=accepted.sender.account)), str(UUID(bytes=accepted.client_id))
        sent_at = timestamp(accepted.sent_at)
        delivered = Delivered(conversation_id, UUID(bytes=accepted.sender.account), accepted.seq)
        for (account, number, ciphertext), previous in zip(message.payloads, message.previous, strict=True):
            session = conversation.devices.get(Address(account, number))
            if session is None:
                continue  # the device went while the message was stored
            other = next(member for member in conversation.members if member != account)
            large = len(ciphertext) > conversation.policy.max_signal_bytes
            data = {
                "conversation_id": str(conversation_id),
                "kind": "pair",
                "content": None,
                "epoch": None,
                "other_account_id": str(UUID(bytes=other)),
                "seq": accepted.seq,
                "previous": previous,
                "sender_account_id": sender_id,
                "sender_device": accepted.sender.number,
                "client_id": client_id,
                "sent_at": sent_at,
                "envelope": None if large else ciphertext,
                "delivery_tag": tags.tag(commitment_of_envelope(ciphertext), delivered, UUID(bytes=account)),
            }
            by_session = signals.setdefault(UUID(bytes=account), {})
            by_session.setdefault(str(UUID(bytes=session)), []).append(data)
    return signals


def typing_of(
    conversation_id: UUID, conversation: Conversation, typist: bytes
) -> tuple[UUID, str, dict[str, list[Any]]]:
    """Returns whom to tell that a member is typing: the other's account, the signal's kind, and its data by the
    sessions of the account's devices."""
    other = next(member for member in conversation.members if member != typist)
    data = {"conversation_id": str(conversation_id), "account_id": str(UUID(bytes=typist))}
    sessions = [session for address, session in conversation.devices.items() if address.account == other]
    return UUID(bytes=other), "typing", {str(UUID(bytes=session)): [data] for session in sessions}
