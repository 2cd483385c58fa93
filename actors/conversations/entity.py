"""The conversation entity: dispatches messages to the machine in features/messaging.

An entity's id is the conversation's (32 hexadecimal digits). A message is a list: the name of the operation, whether
the caller has been told to call again, and the operation's arguments. Accounts, sessions and client ids are 16 bytes.

A refusal never comes from memory that is out of date: at the first call the entity reads what is stored and replies
None, which means "call again".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from actors.runtime import Effect, Reply, Value
from features.messaging.machine import (
    MICROSECONDS,
    Accepted,
    Conversation,
    Draft,
    Message,
    Payload,
    SendRefused,
)
from features.messaging.model import MemberState
from features.messaging.policy import MessagingPolicy

KIND_NAME = "conversations"


@dataclass(frozen=True, slots=True)
class Store:
    """Store a message, then signal it to the devices that it addresses."""

    message: Message


@dataclass(frozen=True, slots=True)
class SetState:
    """Store what a member has made of the conversation."""

    account: bytes
    state: MemberState


@dataclass(frozen=True, slots=True)
class SignalTyping:
    """Signal to the other member's devices that this one is typing."""

    account: bytes


@dataclass(frozen=True, slots=True)
class Reload:
    """Read what is stored."""


class ConversationEntity:
    """One Conversation as an entity."""

    __slots__ = ("conversation",)

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation

    def receive(self, message: Value, now: float) -> list[Effect]:
        """Executes one operation."""
        name, again, *arguments = message
        try:
            return _OPERATIONS[name](self.conversation, now, *arguments)
        except SendRefused as refused:
            return [Reply([refused.code, refused.detail])] if again else [Reload(), Reply(None)]

    def snapshot(self) -> Value:
        return self.conversation.save()

    @classmethod
    def restore(cls, snapshot: Value, policy: MessagingPolicy) -> ConversationEntity:
        """Returns the entity of a snapshot."""
        return cls(Conversation.restore(policy, snapshot))


def send(
    conversation: Conversation,
    now: float,
    account: bytes,
    session: bytes,
    client_id: bytes,
    expires_in_s: int | None,
    payloads: Sequence[Sequence[Any]],
) -> list[Effect]:
    """Replies with the message's number and time once it is durable."""
    before = conversation.members.get(account)
    draft = Draft(client_id, tuple(Payload(*payload) for payload in payloads), expires_in_s)
    sent = conversation.send(account, session, draft, int(now * MICROSECONDS))
    if isinstance(sent, Accepted):
        return [_sent(sent)]
    effects: list[Effect] = [Store(sent), _sent(sent.accepted)]
    if before is not MemberState.ACTIVE:
        effects.append(SetState(account, MemberState.ACTIVE))
    return effects


def typing(conversation: Conversation, now: float, account: bytes, session: bytes) -> list[Effect]:
    told = conversation.typing(account, session, int(now * MICROSECONDS))
    return [Reply(["done", None]), *([SignalTyping(account)] if told else [])]


def accept(conversation: Conversation, _now: float, account: bytes) -> list[Effect]:
    changed = conversation.accept(account)
    return [Reply(["done", None]), *([SetState(account, MemberState.ACTIVE)] if changed else [])]


def decline(conversation: Conversation, _now: float, account: bytes) -> list[Effect]:
    changed = conversation.decline(account)
    return [Reply(["done", None]), *([SetState(account, MemberState.DECLINED)] if changed else [])]


def reload(_conversation: Conversation, _now: float) -> list[Effect]:
    """Replies once what was stored before the call is known."""
    return [Reload(), Reply(["done", None])]


def _sent(accepted: Accepted) -> Reply:
    return Reply(["sent", [accepted.seq, accepted.sent_at]])


_OPERATIONS: dict[str, Callable[..., list[Effect]]] = {
    operation.__name__: operation for operation in (send, typing, accept, decline, reload)
}
