"""Turns: what an entity does with messages, and how its effects are carried out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgpack
import structlog

from actors.runtime.errors import DeadlineExceeded, Refused, to_wire
from actors.runtime.hosting.committer import Committer
from actors.runtime.hosting.mailbox import Envelope, Mailbox
from actors.runtime.hosting.snapshot_loader import SnapshotLoader
from actors.runtime.hosting.timer_heap import ArmedTimer
from actors.runtime.kind import (
    After,
    CancelTimer,
    Effect,
    EffectHandler,
    Entity,
    EntityKind,
    Persist,
    Reply,
    SetTimer,
    Turn,
)
from actors.runtime.store.rows import Answer, Fence, Snapshot, StaleEpoch, TimerRow
from actors.runtime.store.stored_entities import StoredEntities
from actors.runtime.store.turn_writes import TurnWrite
from actors.runtime.transport.frames import DONE, NOT_MINE, STALE, pack_answer
from actors.runtime.value import Value
from cluster.trace import trace_id

log = structlog.get_logger(__name__)


class Received:
    """What the messages of one turn led to."""

    __slots__ = ("answered", "durable_timers", "effects", "error", "fence", "fired", "persist", "timers")

    def __init__(self) -> None:
        self.answered: list[tuple[Envelope, bytes]] = []
        self.effects: list[Effect] = []
        self.timers: list[tuple[float, Value]] = []
        """(seconds from now, message)"""
        self.fired: list[ArmedTimer] = []
        """The durable timers among the messages."""
        self.durable_timers: dict[str, tuple[float, bytes] | None] = {}
        """What becomes of durable timers, by name: (seconds since 1970, packed message), or None if cancelled."""
        self.persist = False
        self.fence: Fence
        """The ownership under which the turn is committed, once that has begun."""
        self.error: Exception | None = None
        """What the entity raised: the turn comes to nothing but the answer to the message that caused it."""

    @property
    def has_effects(self) -> bool:
        """Whether anything is to be stored or done before the replies."""
        return bool(self.effects or self.persist or self.fired or self.durable_timers)

    def timer_rows(self, kind: str, shard: int, entity_id: str) -> dict[str, TimerRow | None]:
        """``durable_timers`` as they are stored for this entity."""
        return {
            name: None if timer is None else TimerRow(kind, shard, entity_id, name, *timer)
            for name, timer in self.durable_timers.items()
        }

    @property
    def trace(self) -> str | None:
        """The traceparent under which the effects run: that of the first call that has one."""
        return next((envelope.trace for envelope, _ in self.answered if envelope.trace), None)


def receive(entity: Entity, envelope: Envelope, now: float, received: Received) -> bool:
    """Has the entity receive a message at ``now``, seconds since 1970. Returns whether it may receive more."""
    try:
        collect(envelope, entity.receive(envelope.body, now), received)
    except Exception as error:  # noqa: BLE001 - recorded, and told to the caller
        return refused(envelope, error, received)
    return True


def collect(envelope: Envelope, effects: Sequence[Effect], received: Received) -> None:
    """Adds the effects of one message. Raises whatever a value that is no effect makes fail."""
    reply: Value = None
    for effect in effects:
        kind = type(effect)
        if kind is Reply:
            reply = effect.value
        elif kind is After:
            received.timers.append((max(0.0, effect.seconds), effect.message))
        elif kind is Persist:
            received.persist = True
        elif kind is SetTimer:
            received.durable_timers[effect.name] = (float(effect.due), msgpack.packb(effect.message))
        elif kind is CancelTimer:
            received.durable_timers[effect.name] = None
        else:
            received.effects.append(effect)
    # Nobody waits for an answer to the runtime's own messages.
    received.answered.append((envelope, b"" if envelope.entry is None else pack_answer(envelope.call, DONE, reply)))


def refused(envelope: Envelope, error: Exception, received: Received) -> bool:
    """Adds what the entity raised. Returns whether it may go on, that is, whether it only declined."""
    answer = (envelope, pack_answer(envelope.call, *to_wire(error)))
    if isinstance(error, Refused):
        received.answered.append(answer)
        return True
    # A bug: the caller is told. The half-changed state is dropped, and with it what the turn's other messages did.
    log.error("entity.failed", entity=envelope.entity_id, trace_id=trace_id(envelope.trace), exc_info=error)
    received.answered, received.effects, received.timers = [answer], [], []
    received.fired, received.durable_timers = [], {}
    received.persist = False
    received.error = error
    return False


class TurnRunner:
    """Loads entities of one kind and carries out their turns."""

    def __init__(
        self,
        kind: EntityKind[Any],
        handler: EffectHandler[Any],
        store: StoredEntities | None = None,
        committer: Committer | None = None,
        timers: frozenset[str] | None = None,
    ) -> None:
        """Without ``store`` and ``committer`` nothing is read from and written to Postgres: a volatile kind. ``timers``
        are the names of the durable timers that its entities may set; None: any."""
        self.kind = kind
        self._handler = handler
        self._store = store
        self._snapshots = None if store is None or not kind.durable else SnapshotLoader(store, kind.name)
        self._committer = committer
        self._declared_timers = timers
        self._writes = type(handler).write is not EffectHandler.write
        self._acts = type(handler).act is not EffectHandler.act
        self._loads = type(handler).load is not EffectHandler.load
        if self._writes and committer is None:
            raise ValueError(f"kind {kind.name!r} writes and has no committer")

    async def load(self, entity_id: str, mailbox: Mailbox) -> Entity:
        """The entity from the handoff, its handler, its stored snapshot, or new."""
        kind, context = self.kind, self._handler.context
        if mailbox.frozen is not None:
            entity = kind.restore(entity_id, *mailbox.frozen, context)
            # Only now: a snapshot that this version cannot read is for a host that can.
            mailbox.frozen = None
            return entity
        loaded = await self._handler.load(entity_id)
        if loaded is not None:
            return loaded
        # Shielded, since it may be another load's, too.
        stored = await asyncio.shield(self._snapshots.load(entity_id)) if self._snapshots is not None else None
        return self.restore(entity_id, stored)

    def stored(self, entity_id: str) -> asyncio.Future[Snapshot | None] | None:
        """What ``restore`` needs; None where only ``load`` knows."""
        return None if self._loads or self._snapshots is None else self._snapshots.load(entity_id)

    def restore(self, entity_id: str, stored: Snapshot | None) -> Entity:
        """The entity from its stored snapshot, or new."""
        if stored is None:
            return self.kind.create(entity_id, self._handler.context)
        snapshot = msgpack.unpackb(stored.body, strict_map_key=False)
        return self.kind.restore(entity_id, stored.version, snapshot, self._handler.context)

    async def close(self) -> None:
        """Ends loads under way."""
        if self._snapshots is not None:
            await self._snapshots.close()

    def acts(self, received: Received) -> bool:
        """Whether the turn has effects beside what it stores."""
        return bool(received.effects) and (self._acts or not self._writes)

    async def act(self, entity_id: str, entity: Entity, fence: Fence, received: Received) -> Sequence[Value]:
        """Has the effects done that are not stored. Returns their results, messages to the entity. Raises what they
        raise."""
        if not self.acts(received):
            return ()
        return await self._handler.act(Turn(entity_id, entity, fence, received.effects))

    def commit(self, entity_id: str, entity: Entity, fence: Fence, received: Received) -> asyncio.Future[None] | None:
        """Begins to commit what the turn stores; None: nothing. Raises what the snapshot raises, and ValueError for
        timers that cannot be set."""
        effects = received.effects
        writes = bool(effects) and self._writes and self._handler.needs_write(effects)
        timers = received.timer_rows(fence.kind, fence.shard, entity_id)
        if timers and self._committer is None:
            raise ValueError(f"kind {self.kind.name!r} sets durable timers and has no committer")
        if self._declared_timers is not None:
            for name, row in timers.items():
                # One that is not declared any more may still be stored, so it can be cancelled and received.
                if row is not None and name not in self._declared_timers:
                    raise ValueError(f"kind {self.kind.name!r} sets the durable timer {name!r}, which is not declared")
        if self._committer is None or not (writes or received.persist or timers or received.fired):
            return None
        write = TurnWrite(fence, entity_id, _answers(received))
        write.fired, write.timers = [timer.row for timer in received.fired], timers
        if received.persist:
            write.snapshot = Snapshot(self.kind.version, msgpack.packb(entity.snapshot()))
        if writes:
            write.turn, write.write = Turn(entity_id, entity, fence, effects), self._handler.write
        return self._committer.commit(write)

    async def stored_answers(self, fence: Fence) -> list[Answer]:
        """The answers stored for a shard's turns."""
        if self._store is None:
            return []
        return [row.answer for row in await self._store.answers([(fence.kind, fence.shard)])]


def _answers(received: Received) -> list[Answer]:
    return [
        Answer(envelope.caller, envelope.call, packed)
        for envelope, packed in received.answered
        if envelope.entry is not None
    ]


def failure(envelope: Envelope, error: Exception) -> bytes:
    """The answer to a call whose turn's effects failed. A stale epoch means: nothing happened, ask the new owner."""
    if isinstance(error, StaleEpoch):
        return pack_answer(envelope.call, NOT_MINE, STALE)
    return pack_answer(envelope.call, *to_wire(error))


def too_late(envelope: Envelope) -> bytes:
    """The answer to a call that waited past its deadline and was not received."""
    return pack_answer(envelope.call, DeadlineExceeded.status, "the call waited past its deadline")
