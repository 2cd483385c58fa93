"""Executes the effects of conversation entities: stores messages in Postgres, then signals them to devices.

The messages of all turns that are committed together are stored by two statements. A signal is transient: a device that
misses one finds the message in its inbox.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from actors.conversations.entity import (
    ConversationEntity,
    CountWaiting,
    Reload,
    SetAsked,
    SetState,
    SignalTyping,
    Store,
)
from actors.conversations.signals import signals_of, typing_of
from actors.runtime import Effect, EffectHandler, Entity, KindContext, Turn, Value
from actors.sessions.effects import KIND_NAME as SESSIONS
from cluster.metrics import Counter
from cluster.postgres import UnitOfWork
from features.delivery_tags import DeliveryTags
from features.messaging import entity_store as store
from features.messaging.machine import MICROSECONDS, Conversation
from features.messaging.policy import MessagingPolicy
from features.microseconds import time_of

STORED = Counter("entativa_messages_stored_total", "Messages that were stored")
NOT_KEPT = Counter("entativa_messages_not_kept_total", "Messages not kept for a device that has no room for them")
SIGNALLED = Counter("entativa_message_signals_total", "Messages signalled to live sessions, by account")
TYPING = Counter("entativa_typing_signals_total", "Signals that somebody is typing")
LOST = Counter("entativa_message_signals_lost_total", "Signals that did not reach a live session")
LOADED = Counter("entativa_conversations_loads_total", "Conversations read from Postgres")

_SIGNAL_S = 5.0


class ConversationEffects(EffectHandler[MessagingPolicy]):
    """Effects of the conversation entities of one host process."""

    def __init__(self, context: KindContext[MessagingPolicy]) -> None:
        super().__init__(context)
        self._tags = DeliveryTags.of_brand(context.secret, context.brand)

    async def load(self, entity_id: str) -> Entity | None:
        """Returns the entity as it is stored."""
        conversation = Conversation(self.context.policy)
        await self._load(entity_id, conversation)
        return ConversationEntity(conversation)

    def needs_write(self, effects: Sequence[Effect]) -> bool:
        """Not what only reads or signals."""
        return any(isinstance(effect, Store | SetState | SetAsked) for effect in effects)

    async def write(self, transaction: UnitOfWork, turns: Sequence[Turn]) -> None:
        """Stores messages, and of each member the last state."""
        messages = [
            (UUID(turn.entity_id), effect.message)
            for turn in turns
            for effect in turn.effects
            if isinstance(effect, Store)
        ]
        if messages:
            await store.insert(transaction, messages)
        states = {
            (turn.entity_id, effect.account): effect.state
            for turn in turns
            for effect in turn.effects
            if isinstance(effect, SetState)
        }
        if states:
            changes = [
                store.StateChange(UUID(conversation), UUID(bytes=account), state)
                for (conversation, account), state in states.items()
            ]
            await store.set_states(transaction, changes)
        asked = {turn.entity_id: effect for turn in turns for effect in turn.effects if isinstance(effect, SetAsked)}
        if asked:
            ends = [None if each.expires_at is None else time_of(each.expires_at) for each in asked.values()]
            requests = zip(asked.items(), ends, strict=True)
            await store.set_asked(
                transaction, [store.RequestChange(UUID(id), each.asked, end) for (id, each), end in requests]
            )

    async def act(self, turn: Turn) -> Sequence[Value]:
        """Signals messages, and reads what is to be read, in place: a later message must not overtake it
        (docs/runtime.md)."""
        assert isinstance(turn.entity, ConversationEntity)
        conversation = turn.entity.conversation
        messages = [effect.message for effect in turn.effects if isinstance(effect, Store)]
        if messages:
            STORED.inc(len(messages))
            NOT_KEPT.inc(sum(len(message.full) for message in messages))
            signals = signals_of(UUID(turn.entity_id), conversation, messages, self._tags)
            for account, by_session in signals.items():
                SIGNALLED.inc()
                self._signal(account, "message", by_session)
        for effect in turn.effects:
            if isinstance(effect, SignalTyping):
                TYPING.inc()
                self._signal(*typing_of(UUID(turn.entity_id), conversation, effect.account))
        if any(isinstance(effect, Reload) for effect in turn.effects):
            await self._load(turn.entity_id, conversation)
        elif any(isinstance(effect, CountWaiting) for effect in turn.effects):
            await self._count(turn.entity_id, conversation)
        return ()

    def _signal(self, account: UUID, kind: str, by_session: dict[str, list[Any]]) -> None:
        """Sends signals in the order of calls, and waits for none."""
        call = self.context.router.call(SESSIONS, str(account), ["signal_sessions", kind, by_session], _SIGNAL_S)
        call.add_done_callback(_count_lost)

    async def _load(self, entity_id: str, conversation: Conversation) -> None:
        LOADED.inc()
        policy, now = self.context.policy, self.context.clock.time()
        since = datetime.fromtimestamp(now, UTC) - policy.remembered
        counts = not conversation.mailboxes.fresh(int(now * MICROSECONDS))  # a refusal may have been for that
        async with self.context.database.unit_of_work(read_only=True) as uow:
            remembered = since, policy.remembered_per_device
            stored = await store.load(uow, UUID(entity_id), *remembered, counts=counts)
        conversation.load(stored, int(now * MICROSECONDS))

    async def _count(self, entity_id: str, conversation: Conversation) -> None:
        now = int(self.context.clock.time() * MICROSECONDS)
        async with self.context.database.unit_of_work(read_only=True) as uow:
            conversation.mailboxes.count(await store.waiting(uow, UUID(entity_id), conversation.devices), now)


def _count_lost(call: asyncio.Future[Any]) -> None:
    if not call.cancelled() and call.exception() is not None:
        LOST.inc()
