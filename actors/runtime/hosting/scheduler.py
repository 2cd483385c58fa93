"""Runs entities' turns: one at a time per entity, and none so long that others or the lease wait for it.

An entity with messages is *active*: it is loaded if need be, then takes its place in a queue. From it, entities receive
messages for at most ``SLICE_SECONDS`` an iteration of the event loop, and at most ``MAX_TURN`` messages each before
the next one's. Where a turn has effects, the entity leaves the queue until they are carried out.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial

import structlog

from actors.runtime.clock import Clock
from actors.runtime.hosting.activation import Activation
from actors.runtime.hosting.completion import TurnCompletion
from actors.runtime.hosting.deduplication import DeduplicationTable, Entry
from actors.runtime.hosting.durable_timers import DurableTimers
from actors.runtime.hosting.loading import EntityLoading
from actors.runtime.hosting.mailbox import CallBatch, Envelope, HostState, Mailbox, Shard
from actors.runtime.hosting.timer_heap import ArmedTimer
from actors.runtime.hosting.turns import Received, TurnRunner, collect, receive, refused, too_late
from actors.runtime.kind import Reply
from actors.runtime.supervise import BackgroundTasks
from actors.runtime.transport.frames import DONE, pack_answer
from actors.runtime.value import Value
from cluster.trace import trace_id

MAX_TURN = 256
"""Messages of one turn; what waits beyond them is for the next."""
SLICE_SECONDS = 0.005
"""Time that turns may take of an iteration of the event loop. One message is always received."""

log = structlog.get_logger(__name__)


class TurnScheduler:
    """Every turn of one host."""

    def __init__(
        self,
        state: HostState,
        answers: DeduplicationTable,
        runners: Mapping[str, TurnRunner],
        clock: Clock,
        turn_away: Callable[[Envelope, str, int], None],
        arm: Callable[[Shard, str, Mailbox, float, Value], None],
        durable_timers: DurableTimers,
    ) -> None:
        """``turn_away`` sends the caller of an envelope for (kind, shard) elsewhere, ``arm`` sets a soft timer."""
        self._state = state
        self._answers = answers
        self._runners = runners
        self._clock = clock
        self._turn_away = turn_away
        self._arm = arm
        self._durable_timers = durable_timers
        self._tasks = BackgroundTasks()
        self._ready: deque[Activation] = deque()
        self._scheduled = False
        self._closed = False
        self._completion = TurnCompletion(state, answers, runners, arm, durable_timers, lambda: self.on_stale())
        self.loading = EntityLoading(runners, self._tasks, self._enqueue, self._load_failed, self._deactivate)
        self.on_stale: Callable[[], None] = lambda: None
        """Called when the database refused a turn: the map that this host knows is old."""

    async def close(self) -> None:
        """Cancels turns under way."""
        self._closed = True
        await self._tasks.close()

    # --- messages come in ---------------------------------------------------------------------------------

    def receive_now(
        self, shard: Shard, mailbox: Mailbox, batch: CallBatch, call: int, entity_id: str, message: Value, entry: Entry
    ) -> None:
        """Has an idle entity receive a call. One that at most replies is answered before this returns: the hot path."""
        assert mailbox.entity is not None
        received = None
        try:
            effects = mailbox.entity.receive(message, batch.wall)
            if len(effects) == 0:
                reply = pack_answer(call, DONE, None)
            elif len(effects) == 1 and type(effects[0]) is Reply:
                reply = pack_answer(call, DONE, effects[0].value)
            else:
                received = Received()
                collect(Envelope(batch.caller, call, entity_id, None, 0.0, entry), effects, received)
        except Exception as error:  # noqa: BLE001 - recorded, and told to the caller
            received = Received()
            refused(Envelope(batch.caller, call, entity_id, None, 0.0, entry), error, received)
        if received is None:
            entry.answer = reply
            entry.origin = None
            batch.origin.answer(reply)
        else:
            mailbox.inbox = deque()
            self._end_turn(self._activate(shard, entity_id, mailbox), received)

    def submit(self, shard: Shard, envelope: Envelope) -> None:
        """Queues a message for an entity of a shard that is served."""
        mailbox = shard.mailboxes.get(envelope.entity_id)
        if mailbox is None:
            mailbox = shard.mailboxes[envelope.entity_id] = Mailbox()
        if mailbox.inbox is None:
            mailbox.inbox = deque((envelope,))
            self._go_on(self._activate(shard, envelope.entity_id, mailbox))
        else:
            mailbox.inbox.append(envelope)

    def load_ahead(self, shard: Shard, entity_id: str) -> None:
        """Has an entity in memory before a message comes for it, which tries again what failed here."""
        if entity_id not in shard.mailboxes:
            mailbox = shard.mailboxes[entity_id] = Mailbox()
            mailbox.inbox = deque()
            self.loading.begin(self._activate(shard, entity_id, mailbox))

    # --- activations --------------------------------------------------------------------------------------

    def _activate(self, shard: Shard, entity_id: str, mailbox: Mailbox) -> Activation:
        shard.busy += 1
        shard.quiet.clear()
        return Activation(shard, entity_id, mailbox)

    def _go_on(self, activation: Activation) -> None:
        """Has the activation's next turn, if messages wait."""
        if not activation.next_queue():
            self._deactivate(activation)
        elif activation.mailbox.entity is None:
            self.loading.begin(activation)
        else:
            self._enqueue(activation)

    def _deactivate(self, activation: Activation) -> None:
        shard, mailbox = activation.shard, activation.mailbox
        mailbox.inbox = None
        if mailbox.entity is None and mailbox.frozen is None and shard.has(activation.entity_id, mailbox):
            del shard.mailboxes[activation.entity_id]
        shard.busy -= 1
        if not shard.busy:
            shard.quiet.set()

    def _load_failed(self, activation: Activation, error: Exception) -> None:
        """Whatever a store raises while loading is for the callers to know; the entity stays out of memory."""
        queue = activation.next_queue()
        trace = trace_id(queue[0].trace) if queue else None
        kind = activation.shard.kind
        log.error("entity.load_failed", kind=kind, entity=activation.entity_id, trace_id=trace, exc_info=error)
        self._completion.give_up(self._drain(activation), error)
        self._deactivate(activation)

    def _enqueue(self, activation: Activation) -> None:
        self._ready.append(activation)
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._run_turns)

    def _run_turns(self) -> None:
        """Runs turns of those that are ready, each once around, until the slice is over."""
        until = self._clock.monotonic() + SLICE_SECONDS
        while True:
            self._turn(self._ready.popleft(), until)
            if not self._ready:
                self._scheduled = False
                return
            if self._clock.monotonic() >= until:
                asyncio.get_running_loop().call_soon(self._run_turns)
                return

    # --- a turn -------------------------------------------------------------------------------------------

    def _turn(self, activation: Activation, until: float) -> None:
        shard, mailbox = activation.shard, activation.mailbox
        now, wall = self._clock.monotonic(), self._clock.time()
        if not shard.has(activation.entity_id, mailbox) or now >= self._state.serve_until:
            self._turn_all_away(activation)
            return
        try:
            self.loading.restore(activation)
        except Exception as error:  # noqa: BLE001 - recorded, and told to the callers
            self._load_failed(activation, error)
            return
        received = Received()
        if activation.fresh:
            activation.fresh = False
            self._greet(activation, received, wall)
            if received.error is not None:
                mailbox.evict()
                self._completion.give_up(self._drain(activation), received.error)
                self._deactivate(activation)
                return
        mailbox.used_at = now
        self._receive(activation, received, now, wall, until)
        self._end_turn(activation, received)

    def _greet(self, activation: Activation, received: Received, wall: float) -> None:
        on_load = self._runners[activation.shard.kind].kind.on_load
        if on_load is not None:
            assert activation.mailbox.entity is not None
            receive(activation.mailbox.entity, Envelope.internal(activation.entity_id, on_load), wall, received)

    def _receive(self, activation: Activation, received: Received, now: float, wall: float, until: float) -> None:
        """Has the entity receive what waits: MAX_TURN messages, or as many as the slice has time for."""
        entity = activation.mailbox.entity
        assert entity is not None
        queue = activation.next_queue()
        taken: list[Envelope] = []
        while queue and len(taken) < MAX_TURN:
            envelope = queue.popleft()
            self._state.waiting -= 1
            if envelope.timer is not None and not self._still_set(envelope.timer, received):
                continue
            if envelope.entry is not None and envelope.deadline <= now:
                self._answers.forget(envelope.caller, envelope.call, envelope.entry)
                envelope.answer(too_late(envelope))
                continue
            taken.append(envelope)
            if not receive(entity, envelope, wall, received):
                # Those before the failure have had no effect yet: they come again, in a turn that cannot meet it.
                del taken[-1]
                if envelope.timer is not None:
                    self._durable_timers.failed(envelope.timer)
                activation.again.extendleft(reversed(taken))
                self._state.waiting += len(taken)
                return
            if envelope.timer is not None:
                received.fired.append(envelope.timer)
            if self._clock.monotonic() >= until:
                return

    def _still_set(self, timer: ArmedTimer, received: Received) -> bool:
        """Whether a durable timer whose message waited was neither cancelled nor set anew since, nor by this turn."""
        if timer.row.name in received.durable_timers:
            # If the turn fails, the timer is as it was.
            self._durable_timers.failed(timer)
            return False
        return self._durable_timers.holds(timer)

    def _end_turn(self, activation: Activation, received: Received) -> None:
        if received.error is not None:
            activation.mailbox.evict()
        if not received.has_effects:
            self._completion.answer(activation, received)
            self._go_on(activation)
            return
        committing = self._completion.commit(activation, received)
        if committing is None or self._runners[activation.shard.kind].acts(received):
            self._tasks.spawn("turn", self._complete(activation, received, committing))
        else:
            # No task: hundreds are committed together.
            committing.add_done_callback(partial(self._committed, activation, received))

    def _committed(self, activation: Activation, received: Received, committing: asyncio.Future[None]) -> None:
        """A turn is committed that has no other effects, or its commit failed."""
        if self._closed or committing.cancelled():
            self._deactivate(activation)
        elif committing.exception() is not None:
            self._tasks.spawn("turn", self._complete(activation, received, committing))
        else:
            self._completion.committed(activation, received)
            self._completion.answer(activation, received)
            self._go_on(activation)

    async def _complete(
        self, activation: Activation, received: Received, committing: asyncio.Future[None] | None
    ) -> None:
        try:
            await self._completion.complete(activation, received, committing)
        except BaseException:
            self._deactivate(activation)
            raise
        self._go_on(activation)

    def _turn_all_away(self, activation: Activation) -> None:
        """The shard was lost, or the lease is over: calls go elsewhere, the entity's own messages wait with it."""
        shard, mailbox, entity_id = activation.shard, activation.mailbox, activation.entity_id
        if activation.fresh:
            # It has not been greeted.
            mailbox.entity = None
        for envelope in self._drain(activation):
            if envelope.timer is not None:
                self._durable_timers.not_received(envelope.timer)
            elif envelope.entry is None:
                self._arm(shard, entity_id, mailbox, 0.0, envelope.body)
            else:
                self._turn_away(envelope, shard.kind, shard.number)
        self._deactivate(activation)

    def _drain(self, activation: Activation) -> list[Envelope]:
        """Takes everything that waits."""
        envelopes = [*activation.again, *(activation.mailbox.inbox or ())]
        activation.again.clear()
        if activation.mailbox.inbox:
            activation.mailbox.inbox.clear()
        self._state.waiting -= len(envelopes)
        return envelopes
