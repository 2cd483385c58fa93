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
from features.messaging.machine import MICROSECONDS, Conversation
from features.messaging.model import MemberState
from features.messaging.policy import MessagingPolicy
from features.messaging.records import Accepted, Draft, Message, Payload
from features.messaging.refusals import SendRefused
from features.messaging.resting import pack, unpack

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
class SetAsked:
    """Store how many messages a member who has not accepted the conversation was sent, and when it ends (microseconds
    since 1970); None: it was accepted."""

    asked: int
    expires_at: int | None


@dataclass(frozen=True, slots=True)
class CountWaiting:
    """Count what waits for the devices."""


@dataclass(frozen=True, slots=True)
class SignalTyping:
    """Signal to the other member's devices that this one is typing."""

    account: bytes


@dataclass(frozen=True, slots=True)
class Reload:
    """Read what is stored."""


class ConversationEntity:
    """One Conversation as an entity, packed while it rests."""

    __slots__ = ("_policy", "_state")

    def __init__(self, conversation: Conversation) -> None:
        self._policy = conversation.policy
        self._state: Conversation | bytes = conversation

    @property
    def conversation(self) -> Conversation:
        """The conversation, which rests no longer."""
        if isinstance(self._state, bytes):
            self._state = unpack(self._policy, self._state)
        return self._state

    def rest(self) -> None:
        """Takes a tenth of the memory until the next message."""
        if not isinstance(self._state, bytes):
            self._state = pack(self._state)

    def receive(self, message: Value, now: float) -> list[Effect]:
        """Executes one operation."""
        name, again, *arguments = message
        try:
            return _OPERATIONS[name](self.conversation, now, again, *arguments)
        except SendRefused as refused:
            certain = again or refused.certain
            return [Reply([refused.code, refused.detail])] if certain else [Reload(), Reply(None)]

    def snapshot(self) -> Value:
        return self.conversation.save()

    @classmethod
    def restore(cls, snapshot: Value, policy: MessagingPolicy) -> ConversationEntity:
        """Returns the entity of a snapshot."""
        return cls(Conversation.restore(policy, snapshot))


def send(
    conversation: Conversation,
    now: float,
    again: bool,
    account: bytes,
    session: bytes,
    client_id: bytes,
    expires_in_s: int | None,
    payloads: Sequence[Sequence[Any]],
) -> list[Effect]:
    """Replies with the message's number and time once it is durable."""
    before, waited = conversation.members.get(account), conversation.waits
    draft = Draft(client_id, tuple(Payload(*payload) for payload in payloads), expires_in_s)
    sent = conversation.send(account, session, draft, int(now * MICROSECONDS), counted=again)
    if isinstance(sent, Accepted):
        return [_sent(sent)]
    effects: list[Effect] = [Store(sent), _sent(sent.accepted)]
    if before is not MemberState.ACTIVE:
        effects.append(SetState(account, MemberState.ACTIVE))
    if waited:
        effects.append(_asked(conversation, now))
    if conversation.mailboxes.due:
        effects.append(CountWaiting())
    return effects


def typing(conversation: Conversation, now: float, _again: bool, account: bytes, session: bytes) -> list[Effect]:
    told = conversation.typing(account, session, int(now * MICROSECONDS))
    return [Reply(["done", None]), *([SignalTyping(account)] if told else [])]


def accept(conversation: Conversation, now: float, _again: bool, account: bytes) -> list[Effect]:
    changed = conversation.accept(account)
    effects = [SetState(account, MemberState.ACTIVE), _asked(conversation, now)] if changed else []
    return [Reply(["done", None]), *effects]


def decline(conversation: Conversation, _now: float, _again: bool, account: bytes) -> list[Effect]:
    changed = conversation.decline(account)
    return [Reply(["done", None]), *([SetState(account, MemberState.DECLINED)] if changed else [])]


def reload(_conversation: Conversation, _now: float, _again: bool) -> list[Effect]:
    """Replies once what was stored before the call is known."""
    return [Reload(), Reply(["done", None])]


def _asked(conversation: Conversation, now: float) -> SetAsked:
    ends = now + conversation.policy.request_lifetime.total_seconds()
    return SetAsked(conversation.asked, int(ends * MICROSECONDS) if conversation.waits else None)


def _sent(accepted: Accepted) -> Reply:
    return Reply(["sent", [accepted.seq, accepted.sent_at]])


_OPERATIONS: dict[str, Callable[..., list[Effect]]] = {
    operation.__name__: operation for operation in (send, typing, accept, decline, reload)
}
