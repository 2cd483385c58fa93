"""Executes the effects of group entities: stores messages and changes in Postgres, then signals them to devices.

The application messages of all turns that are committed together are stored by one statement. A signal is transient: a
device that misses one finds the message in its inbox.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from actors.groups.entity import Adopt, GroupEntity, Reload, SignalTyping, Store
from actors.groups.signals import BySession, signals_of, typing_of
from actors.runtime import Effect, EffectHandler, Entity, KindContext, Turn, Value
from actors.sessions.effects import KIND_NAME as SESSIONS
from cluster.metrics import Counter
from cluster.postgres import UnitOfWork
from features.delivery_tags import DeliveryTags
from features.groups import entity_store as store
from features.groups.machine import Group
from features.groups.policy import GroupsPolicy
from features.groups.records import Stored

STORED = Counter("entativa_group_messages_stored_total", "Messages to groups that were stored", ["content"])
SIGNALLED = Counter("entativa_group_signals_total", "Signals of groups to live sessions, by account", ["kind"])
TYPING = Counter("entativa_group_typing_signals_total", "Members of groups of whom the others are told that they type")
LOST = Counter("entativa_group_signals_lost_total", "Signals of groups that did not reach a live session")
LOADED = Counter("entativa_groups_loads_total", "Groups read from Postgres")

_SIGNAL_S = 5.0


class GroupEffects(EffectHandler[GroupsPolicy]):
    """Effects of the group entities of one host process."""

    def __init__(self, context: KindContext[GroupsPolicy]) -> None:
        super().__init__(context)
        self._tags = DeliveryTags.of_brand(context.secret, context.brand)

    async def load(self, entity_id: str) -> Entity | None:
        """Returns the entity as it is stored."""
        group = Group(self.context.policy)
        group.load(await self._read(entity_id))
        return GroupEntity(group)

    def needs_write(self, effects: Sequence[Effect]) -> bool:
        """Not what only reads."""
        return any(isinstance(effect, Store | Adopt) for effect in effects)

    async def write(self, transaction: UnitOfWork, turns: Sequence[Turn]) -> None:
        """Stores application messages together, and adopts each staged change."""
        messages = [
            store.Application(UUID(turn.entity_id), effect.accepted, effect.expires_at, effect.message)
            for turn in turns
            for effect in turn.effects
            if isinstance(effect, Store)
        ]
        if messages:
            await store.insert(transaction, messages)
        for turn in turns:
            for effect in turn.effects:
                if isinstance(effect, Adopt):
                    staged = UUID(bytes=effect.staged)
                    await store.accept(
                        transaction,
                        store.Staged(effect.accepted, effect.expires_at, staged, effect.content, effect.epoch),
                    )

    async def act(self, turn: Turn) -> Sequence[Value]:
        """Signals messages, and reads what is to be read, in place: a later message must not overtake it
        (docs/runtime.md)."""
        assert isinstance(turn.entity, GroupEntity)
        group = turn.entity.group
        for effect in turn.effects:
            match effect:
                case Store():
                    STORED.labels("application").inc()
                    self._signal_message(turn.entity_id, group, effect)
                case Adopt(content=content):
                    STORED.labels(content.value).inc()
                    self._signal_message(turn.entity_id, group, effect)
                case SignalTyping(account):
                    TYPING.inc()
                    self._signal("typing", typing_of(UUID(turn.entity_id), group.devices, account))
        if any(isinstance(effect, Reload) for effect in turn.effects):
            group.load(await self._read(turn.entity_id))
        return ()

    def _signal_message(self, entity_id: str, group: Group, effect: Store | Adopt) -> None:
        limit = self.context.policy.max_inline_bytes
        self._signal("message", signals_of(UUID(entity_id), group.devices, effect, limit, self._tags))

    def _signal(self, kind: str, signals: dict[UUID, BySession]) -> None:
        """Sends signals in the order of calls, and waits for none."""
        for account, by_session in signals.items():
            SIGNALLED.labels(kind).inc()
            message = ["signal_sessions", kind, by_session]
            self.context.router.call(SESSIONS, str(account), message, _SIGNAL_S).add_done_callback(_count_lost)

    async def _read(self, entity_id: str) -> Stored | None:
        LOADED.inc()
        since = datetime.fromtimestamp(self.context.clock.time(), UTC) - self.context.policy.remembered
        async with self.context.database.unit_of_work(read_only=True) as uow:
            return await store.load(uow, UUID(entity_id), since)


def _count_lost(call: asyncio.Future[Any]) -> None:
    if not call.cancelled() and call.exception() is not None:
        LOST.inc()
