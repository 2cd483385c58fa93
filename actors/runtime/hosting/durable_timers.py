"""Durable timers (the SetTimer effect): loads those that are due soon, and delivers them to their entities.

A host has in memory what is due within ``HORIZON_SECONDS``. A row is deleted by the transaction of the turn that
received its message; if it is not there any more, that turn is refused. So what is in memory need not be exact: a
timer too many comes to nothing, and one that is missing is found by the next load.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Protocol

import msgpack
import structlog

from actors.runtime.clock import Clock
from actors.runtime.hosting.mailbox import Envelope, HostState, Shard
from actors.runtime.hosting.timer_heap import ArmedTimer, TimerHeap
from actors.runtime.store.rows import DATABASE_ERRORS, TimerRow
from cluster.cancellation import raise_if_cancelled

HORIZON_SECONDS = 60.0
_LOAD_SECONDS = HORIZON_SECONDS / 2
"""Between two loads of all shards: a timer is in memory long before it is due."""
_PAUSE_SECONDS = 1.0
"""The longest sleep while timers wait, since the clock may be set; and between attempts to load."""
_NOT_SERVED_SECONDS = 0.1
"""Until a timer is tried again whose shard is about to move, or whose host has no lease."""
_TOGETHER_SECONDS = 0.01
"""Timers that are due within so long are delivered together, at most so late."""
_AHEAD_SECONDS = 1.0
"""Before a timer is due its entity is loaded, so that many that are due together only wait for their turns."""
MAX_LOADING = 512
"""While so many entities are being loaded no others are ahead of time: callers wait for theirs."""
_BATCH = 128
"""Timers that are delivered in one iteration of the event loop."""
MAX_TAKEN = 4096
"""Timers of a host that may be with their entities at the same time."""

EntityKey = tuple[str, int, str]
"""(kind, shard, entity)"""

log = structlog.get_logger(__name__)


class TimerStore(Protocol):
    """Where timers are read: `ShardStore`."""

    async def timers(self, shards: Iterable[tuple[str, int]], until: float) -> list[TimerRow]:
        """See TimerTable.timers."""


class DurableTimers:
    """The durable timers of one host."""

    def __init__(
        self,
        state: HostState,
        shard: Callable[[str, int], Shard | None],
        admit: Callable[[Shard, Envelope], None],
        clock: Clock,
        load_ahead: Callable[[Shard, str], None],
        loading: Callable[[], int],
    ) -> None:
        """``shard`` finds the record of a shard, ``admit`` gives a message to an entity of one that is served.
        ``load_ahead`` begins to load an entity that is not in memory, ``loading`` says how many are being loaded."""
        self._state = state
        self._shard = shard
        self._admit = admit
        self._clock = clock
        self._load_ahead = load_ahead
        self._loading = loading
        self._heap = TimerHeap()
        self._to_load: dict[tuple[str, int], Shard] = {}
        self._load_all_at = clock.monotonic() + _LOAD_SECONDS
        self._load_at = 0.0
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        return len(self._heap)

    # --- shards come and go -------------------------------------------------------------------------------

    def load_soon(self, shard: Shard) -> None:
        """The shard came here, or it is unknown what became of a turn that changed its timers."""
        self._to_load[shard.kind, shard.number] = shard
        self._wake.set()

    def forget(self, shard: Shard) -> None:
        """The shard is another host's."""
        self._to_load.pop((shard.kind, shard.number), None)
        self._heap.forget(shard.kind, shard.number)

    # --- turns --------------------------------------------------------------------------------------------

    def holds(self, timer: ArmedTimer) -> bool:
        """Whether the timer's message is still to be received."""
        return self._heap.holds(timer)

    def committed(self, fired: Iterable[ArmedTimer], timers: Mapping[str, TimerRow | None], entity: EntityKey) -> None:
        """A turn of ``entity`` (kind, shard, id) that received ``fired`` and set ``timers`` was committed."""
        full = self._heap.taken >= MAX_TAKEN
        for timer in fired:
            if self._heap.holds(timer):
                self._heap.remove(timer.row.key)
        until = self._clock.time() + HORIZON_SECONDS
        for name, row in timers.items():
            self._heap.remove((*entity, name))
            if row is not None and row.due <= until:
                self._heap.arm(row)
        if timers or full:
            self._wake.set()

    def failed(self, timer: ArmedTimer) -> None:
        """The turn that received the timer's message failed."""
        self._heap.failed(timer, self._clock.time())
        self._wake.set()

    def not_received(self, timer: ArmedTimer) -> None:
        """The message could not be received: the shard moves, or the lease is over."""
        self._heap.put_back(timer, self._clock.time() + _NOT_SERVED_SECONDS)
        self._wake.set()

    def fired_before(self, shard: Shard, fired: Iterable[ArmedTimer]) -> None:
        """Of these timers of one turn some are not stored any more: what is, is read anew."""
        for timer in fired:
            if self._heap.holds(timer):
                self._heap.remove(timer.row.key)
        self.load_soon(shard)

    # --- the loop -----------------------------------------------------------------------------------------

    async def run(self, store: TimerStore, served: Callable[[], Iterable[Shard]]) -> None:
        """Loads and delivers timers, for as long as the host lives. ``served`` gives the shards that it serves."""
        while True:
            self._wake.clear()
            now = self._clock.monotonic()
            if now >= self._load_all_at:
                self._load_all_at = now + _LOAD_SECONDS
                self._to_load |= {(shard.kind, shard.number): shard for shard in served()}
            if self._to_load and now >= self._load_at:
                await self.load(store)
            delivered = self.deliver()
            self.load_entities_ahead()
            await self._sleep(delivered)

    async def load(self, store: TimerStore) -> None:
        """Reads the timers of the shards that are to be loaded, in one statement."""
        shards, self._to_load = self._to_load, {}
        self._heap.begin_load()
        try:
            rows = await store.timers(list(shards), self._clock.time() + HORIZON_SECONDS)
        except DATABASE_ERRORS as error:
            raise_if_cancelled()
            log.warning("timers.not_loaded", shards=len(shards), error=f"{type(error).__name__}: {error}")
            self._to_load = shards | self._to_load
            self._load_at = self._clock.monotonic() + _PAUSE_SECONDS
            return
        # A shard that left meanwhile is another host's; if it came back, it is loaded again.
        self._heap.loaded(row for row in rows if (here := self._shard(row.kind, row.shard)) and here.serving)

    def deliver(self) -> int:
        """Gives some of the timers that are due to their entities. Returns how many."""
        if self._clock.monotonic() >= self._state.serve_until:
            return 0
        now = self._clock.time()
        due = self._heap.take(now, min(_BATCH, MAX_TAKEN - self._heap.taken))
        for timer in due:
            shard = self._shard(timer.row.kind, timer.row.shard)
            if shard is None or not shard.serves(timer.row.entity_id):
                self.not_received(timer)
                continue
            try:
                message = msgpack.unpackb(timer.row.message, strict_map_key=False)
            except (ValueError, TypeError):
                # Packed and not to be read: a map whose key is a list.
                log.exception("timer.not_read", kind=shard.kind, entity=timer.row.entity_id, timer=timer.row.name)
                self.failed(timer)
                continue
            self._admit(shard, Envelope.of_timer(timer, message))
        return len(due)

    def load_entities_ahead(self) -> None:
        """Begins to load entities whose timers are due soon."""
        room = MAX_LOADING - self._loading()
        if room <= 0 or self._clock.monotonic() >= self._state.serve_until:
            return
        now = self._clock.time()
        for row in self._heap.soon(now + _AHEAD_SECONDS, room):
            shard = self._shard(row.kind, row.shard)
            # One that is overdue is delivered as soon as there is room for it.
            if row.due > now and shard is not None and shard.serves(row.entity_id):
                self._load_ahead(shard, row.entity_id)

    async def _sleep(self, delivered: int) -> None:
        """Until something is to be done."""
        if delivered == _BATCH:
            await asyncio.sleep(0)
            return
        pause = self._load_all_at - self._clock.monotonic()
        if self._to_load:
            pause = min(pause, self._load_at - self._clock.monotonic())
        due = self._heap.next_due()
        if due is not None:
            # One that is due and was not delivered waits for the lease, or for others to be received.
            left = due - self._clock.time()
            pause = min(pause, _PAUSE_SECONDS, max(left, _TOGETHER_SECONDS) if left > 0.0 else _NOT_SERVED_SECONDS)
        soon = self._heap.next_soon()
        if soon is not None:
            pause = min(pause, max(soon - _AHEAD_SECONDS - self._clock.time(), _TOGETHER_SECONDS))
        if pause > 0.0:
            # Not asyncio.wait_for: Python 3.11's drops a cancellation that comes together with the result.
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()
