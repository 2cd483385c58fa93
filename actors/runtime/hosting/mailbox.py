"""What a host has in memory of each entity and shard: envelopes, soft timers, mailboxes."""

from __future__ import annotations

import asyncio
from collections import deque

from actors.runtime.hosting.deduplication import Entry, Origin
from actors.runtime.hosting.ownership import Ownership
from actors.runtime.hosting.timer_heap import ArmedTimer
from actors.runtime.kind import Entity
from actors.runtime.value import Value


class Envelope:
    """A message for an entity. ``entry`` is None for the runtime's own (timers, results, on_load): nobody waits."""

    __slots__ = ("body", "call", "caller", "deadline", "entity_id", "entry", "timer")

    def __init__(
        self, caller: bytes, call: int, entity_id: str, body: Value, deadline: float, entry: Entry | None
    ) -> None:
        self.caller = caller
        self.call = call
        self.entity_id = entity_id
        self.body = body
        self.deadline = deadline
        self.entry = entry
        self.timer: ArmedTimer | None = None
        """The durable timer whose message it is."""

    @property
    def trace(self) -> str | None:
        """The traceparent of whoever sent it."""
        return self.entry.trace if self.entry is not None else None

    @classmethod
    def internal(cls, entity_id: str, body: Value) -> Envelope:
        """A message from the runtime itself."""
        return cls(b"", 0, entity_id, body, 0.0, None)

    @classmethod
    def of_timer(cls, timer: ArmedTimer, body: Value) -> Envelope:
        """The message of a durable timer that is due."""
        envelope = cls.internal(timer.row.entity_id, body)
        envelope.timer = timer
        return envelope

    def answer(self, packed: bytes) -> None:
        """Remembers the answer and sends it."""
        entry = self.entry
        if entry is not None:
            entry.answer = packed
            origin: Origin | None = entry.origin
            entry.origin = None
            if origin is not None:
                origin.answer(packed)


class CallBatch:
    """What the calls of one CALLS frame have in common."""

    __slots__ = ("caller", "known", "now", "origin", "wall")

    def __init__(self, origin: Origin, caller: bytes, known: dict[int, Entry], now: float, wall: float) -> None:
        self.origin = origin
        self.caller = caller
        self.known = known
        """The caller's entries in the deduplication table."""
        self.now = now
        """Monotonic seconds."""
        self.wall = wall
        """Seconds since 1970."""


class SoftTimer:
    """A message that an entity set itself for ``due``, monotonic seconds."""

    __slots__ = ("due", "handle", "message")

    def __init__(self, due: float, message: Value) -> None:
        self.due = due
        self.message = message
        self.handle: asyncio.TimerHandle | None = None

    def cancel(self) -> None:
        """Keeps the message from being delivered."""
        if self.handle is not None:
            self.handle.cancel()


class Mailbox:
    """An entity's place in memory. ``inbox`` is None while the entity is idle, else it holds what waits."""

    __slots__ = ("entity", "frozen", "inbox", "timers", "used_at")

    def __init__(self) -> None:
        self.entity: Entity | None = None
        self.frozen: tuple[int, Value] | None = None
        """(version, snapshot) that came with a handoff and was not needed yet."""
        self.inbox: deque[Envelope] | None = None
        self.timers: tuple[SoftTimer, ...] = ()
        self.used_at = 0.0

    def evict(self) -> None:
        """Drops the entity and its timers; the next message loads it anew."""
        self.entity = None
        for timer in self.timers:
            timer.cancel()
        self.timers = ()


class Shard:
    """One shard of one kind at this host, in whatever status."""

    __slots__ = ("busy", "kind", "mailboxes", "number", "ownership", "parked", "quiet", "serving")

    def __init__(self, kind: str, number: int) -> None:
        self.kind = kind
        self.number = number
        self.ownership = Ownership()
        self.serving = False
        """Status ACTIVE, as one attribute for the hot path."""
        self.mailboxes: dict[str, Mailbox] = {}
        self.parked: dict[str, list[Envelope]] = {}
        """What arrived while the shard was loading or moving, by entity; what comes for these waits behind it."""
        self.busy = 0
        """Entities with a turn under way."""
        self.quiet = asyncio.Event()
        """Set while none has."""
        self.quiet.set()

    def has(self, entity_id: str, mailbox: Mailbox) -> bool:
        """Whether this is still the entity's mailbox. It is not once the shard was lost, even if it came back."""
        return self.mailboxes.get(entity_id) is mailbox

    def serves(self, entity_id: str) -> bool:
        """Whether a message for the entity goes to its mailbox, and is not to be parked."""
        return self.serving and entity_id not in self.parked

    def waiting_for(self, entity_id: str) -> int:
        """Messages that wait for the entity."""
        mailbox = self.mailboxes.get(entity_id)
        inbox = len(mailbox.inbox) if mailbox is not None and mailbox.inbox else 0
        return inbox + len(self.parked.get(entity_id, ()))


class KindLoad:
    """Counters of one kind since the last report."""

    __slots__ = ("calls", "queued")

    def __init__(self) -> None:
        self.calls = 0
        self.queued = 0


class HostState:
    """What the parts of one host share."""

    __slots__ = ("host", "serve_until", "waiting")

    def __init__(self, host: str) -> None:
        self.host = host
        """The incarnation's id."""
        self.serve_until = 0.0
        """Monotonic seconds at which the host's lease ends; from then on nothing is served."""
        self.waiting = 0
        """Messages in inboxes and parked."""
