"""Turns: how an entity in memory receives messages and has its effects carried out, one turn at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgpack
import structlog

from actors.runtime.errors import DeadlineExceeded, Refused, to_wire
from actors.runtime.hosting.deduplication import Entry, Origin
from actors.runtime.kind import After, Effect, EffectHandler, Entity, EntityKind, Persist, Reply, Turn, Value
from actors.runtime.store.rows import Answer, Fence, StaleEpoch
from actors.runtime.store.shard_store import ShardStore
from actors.runtime.transport.frames import DONE, NOT_MINE, STALE, pack_answer

log = structlog.get_logger(__name__)


class Envelope:
    """A message for an entity. ``entry`` is None for the runtime's own (timers, on_load): nobody waits."""

    __slots__ = ("body", "call", "caller", "deadline", "entity_id", "entry")

    def __init__(
        self, caller: bytes, call: int, entity_id: str, body: Value, deadline: float, entry: Entry | None
    ) -> None:
        self.caller = caller
        self.call = call
        self.entity_id = entity_id
        self.body = body
        self.deadline = deadline
        self.entry = entry

    def answer(self, packed: bytes) -> None:
        """Remembers the answer and sends it."""
        entry = self.entry
        if entry is not None:
            entry.answer = packed
            origin: Origin | None = entry.origin
            entry.origin = None
            if origin is not None:
                origin.answer(packed)


class Timer:
    """A message an entity set itself for ``due``, monotonic seconds."""

    __slots__ = ("due", "handle", "message")

    def __init__(self, due: float, message: Value) -> None:
        self.due = due
        self.message = message
        self.handle: asyncio.TimerHandle | None = None

    def cancel(self) -> None:
        """It will not wake anyone."""
        if self.handle is not None:
            self.handle.cancel()


class Mailbox:
    """An entity's place in memory. ``inbox`` is None while it is idle, a list while a turn is under way."""

    __slots__ = ("entity", "frozen", "inbox", "timers", "used_at")

    def __init__(self) -> None:
        self.entity: Entity | None = None
        self.frozen: tuple[int, Value] | None = None
        """(version, snapshot) that came with a handoff and was not needed yet."""
        self.inbox: list[Envelope] | None = None
        self.timers: list[Timer] = []
        self.used_at = 0.0


class Received:
    """What the messages of one turn led to."""

    __slots__ = ("answered", "effects", "error", "persist", "timers")

    def __init__(self) -> None:
        self.answered: list[tuple[Envelope, bytes]] = []
        self.effects: list[Effect] = []
        self.timers: list[tuple[float, Value]] = []
        """(seconds from now, message)"""
        self.persist = False
        self.error: Exception | None = None
        """The defect by which the turn came to nothing but the answer to the message that met it."""


def receive(entity: Entity, envelopes: Sequence[Envelope], now: float, received: Received) -> int:
    """Lets the entity receive messages in order; how many it took. Stops at one that makes it fail."""
    taken = 0
    for envelope in envelopes:
        taken += 1
        try:
            collect(envelope, entity.receive(envelope.body, now), received)
        except Exception as error:  # noqa: BLE001 - recorded, and told to the caller
            if not refused(envelope, error, received):
                break
    return taken


def collect(envelope: Envelope, effects: Sequence[Effect], received: Received) -> None:
    """Adds what one message led to. Raises what comes of effects that are none."""
    reply: Value = None
    for effect in effects:
        kind = type(effect)
        if kind is Reply:
            reply = effect.value
        elif kind is After:
            received.timers.append((max(0.0, effect.seconds), effect.message))
        elif kind is Persist:
            received.persist = True
        else:
            received.effects.append(effect)
    received.answered.append((envelope, pack_answer(envelope.call, DONE, reply)))


def refused(envelope: Envelope, error: Exception, received: Received) -> bool:
    """Adds what the entity raised; whether it may go on, that is, whether it only declined."""
    answer = (envelope, pack_answer(envelope.call, *to_wire(error)))
    if isinstance(error, Refused):
        received.answered.append(answer)
        return True
    # A machine that raises has a defect; its caller is told. Its half-changed state is to be dropped, and with it
    # goes what the turn's other messages did.
    log.error("entity.failed", entity=envelope.entity_id, exc_info=error)
    received.answered, received.effects, received.timers = [answer], [], []
    received.persist = False
    received.error = error
    return False


class TurnRunner:
    """Loads entities of one kind and carries out their turns."""

    def __init__(self, kind: EntityKind, handler: EffectHandler, store: ShardStore | None) -> None:
        self.kind = kind
        self._handler = handler
        self._store = store

    async def load(self, entity_id: str, mailbox: Mailbox, fence: Fence) -> Entity:
        """The entity from the handoff, its handler, its stored snapshot, or new."""
        kind = self.kind
        if mailbox.frozen is not None:
            entity = kind.restore(entity_id, *mailbox.frozen)
            # Only now: a snapshot that this version cannot read is for a host that can.
            mailbox.frozen = None
            return entity
        loaded = await self._handler.load(entity_id, fence)
        if loaded is None and kind.durable and self._store is not None:
            stored = await self._store.load_snapshot(kind.name, entity_id)
            if stored is not None:
                loaded = kind.restore(entity_id, stored[0], msgpack.unpackb(stored[1], strict_map_key=False))
        return kind.create(entity_id) if loaded is None else loaded

    async def carry_out(self, entity_id: str, entity: Entity, fence: Fence, received: Received) -> None:
        """The turn's effects, then nothing: the caller sends the answers. Raises what the effects raise."""
        answers = [
            Answer(envelope.caller, envelope.call, packed)
            for envelope, packed in received.answered
            if envelope.entry is not None
        ]
        if received.persist and self._store is not None:
            body = msgpack.packb(entity.snapshot())
            await self._store.save_snapshot(fence, entity_id, self.kind.version, body, answers)
            answers = []
        if received.effects:
            await self._handler.carry_out(Turn(entity_id, entity, fence, received.effects, answers))

    async def stored_answers(self, fence: Fence) -> list[Answer]:
        """The answers stored for a shard's turns."""
        if self._store is None:
            return []
        return [answer for _, _, answer in await self._store.answers([(fence.kind, fence.shard)])]


def failure(envelope: Envelope, error: Exception) -> bytes:
    """The answer to a call whose turn's effects failed. A stale epoch means: nothing happened, ask the new owner."""
    if isinstance(error, StaleEpoch):
        return pack_answer(envelope.call, NOT_MINE, STALE)
    return pack_answer(envelope.call, *to_wire(error))


def too_late(envelope: Envelope) -> bytes:
    """The answer to a call that waited past its deadline and was not received."""
    return pack_answer(envelope.call, DeadlineExceeded.status, "the call waited past its deadline")
