"""Runs entities' turns: one at a time per entity, and none so long that others or the lease wait for it.

An entity with messages is *active*: it is loaded if need be, then takes its place in a queue. From it, entities receive
messages for at most ``SLICE_SECONDS`` an iteration of the event loop, and at most ``MAX_TURN`` messages each before
the next one's. Where a turn has effects, the entity leaves the queue until they are carried out.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

import structlog

from actors.runtime.clock import Clock
from actors.runtime.hosting.deduplication import DeduplicationTable, Entry
from actors.runtime.hosting.durable_timers import DurableTimers
from actors.runtime.hosting.mailbox import CallBatch, Envelope, HostState, Mailbox, Shard
from actors.runtime.hosting.timer_heap import ArmedTimer
from actors.runtime.hosting.turns import Received, TurnRunner, collect, failure, receive, refused, too_late
from actors.runtime.kind import Reply
from actors.runtime.store.rows import DATABASE_ERRORS, AlreadyAnswered, AlreadyFired, Fence, StaleEpoch
from actors.runtime.supervise import BackgroundTasks
from actors.runtime.transport.frames import DONE, NOT_MINE, pack_answer
from actors.runtime.value import Value
from cluster.cancellation import cancellation_first, raise_if_cancelled
from cluster.trace import resume_trace

MAX_TURN = 256
"""Messages of one turn; what waits beyond them is for the next."""
SLICE_SECONDS = 0.005
"""Time that turns may take of an iteration of the event loop. One message is always received."""

log = structlog.get_logger(__name__)


class Activation:
    """An entity from the first message that waits for it until none does."""

    __slots__ = ("again", "entity_id", "fresh", "mailbox", "shard")

    def __init__(self, shard: Shard, entity_id: str, mailbox: Mailbox) -> None:
        self.shard = shard
        self.entity_id = entity_id
        self.mailbox = mailbox
        self.again: deque[Envelope] = deque()
        """Messages of a turn that came to nothing. They are to have the next turn to themselves."""
        self.fresh = False
        """It was loaded or created just now, not handed off: its first message is the kind's ``on_load``."""

    def next_queue(self) -> deque[Envelope]:
        """Where the next turn's messages are."""
        if self.again:
            return self.again
        assert self.mailbox.inbox is not None
        return self.mailbox.inbox


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
        self.on_stale: Callable[[], None] = lambda: None
        """Called when the database refused a turn: the map that this host knows is old."""

    async def close(self) -> None:
        """Cancels turns under way."""
        await self._tasks.close()

    # --- messages come in ---------------------------------------------------------------------------------

    def receive_now(
        self, shard: Shard, mailbox: Mailbox, batch: CallBatch, call: int, entity_id: str, message: Value, entry: Entry
    ) -> None:
        """Has an idle entity receive a call. One that only replies is answered before this returns: the hot path."""
        assert mailbox.entity is not None
        received = None
        try:
            effects = mailbox.entity.receive(message, batch.wall)
            if len(effects) == 1 and type(effects[0]) is Reply:
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
            self._tasks.spawn("load", self._load(activation))
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

    async def _load(self, activation: Activation) -> None:
        shard, mailbox = activation.shard, activation.mailbox
        activation.fresh = mailbox.frozen is None
        resume_trace(mailbox.inbox[0].trace if mailbox.inbox else None)
        try:
            runner = self._runners[shard.kind]
            with cancellation_first():
                mailbox.entity = await runner.load(activation.entity_id, mailbox)
        except Exception as error:
            # Whatever a store raises while loading is for the callers to know; the entity stays out of memory.
            log.exception("entity.load_failed", kind=shard.kind, entity=activation.entity_id)
            self._give_up(self._drain(activation), error)
            self._deactivate(activation)
        except BaseException:
            self._deactivate(activation)
            raise
        else:
            self._enqueue(activation)

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
        received = Received()
        if activation.fresh:
            activation.fresh = False
            self._greet(activation, received, wall)
            if received.error is not None:
                mailbox.evict()
                self._give_up(self._drain(activation), received.error)
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
        if received.has_effects:
            self._tasks.spawn("turn", self._carry_out(activation, received))
        else:
            self._answer(activation, received)
            self._go_on(activation)

    async def _carry_out(self, activation: Activation, received: Received) -> None:
        resume_trace(received.trace)
        shard, mailbox = activation.shard, activation.mailbox
        entity = mailbox.entity
        assert entity is not None
        fence = self._fence(shard)
        try:
            if not shard.has(activation.entity_id, mailbox):
                # The shard was lost, and may be ours again at a later epoch that this memory knows nothing of.
                raise StaleEpoch("the shard was lost during the turn")
            runner = self._runners[shard.kind]
            with cancellation_first():
                results = await runner.carry_out(
                    activation.entity_id, entity, fence, received, lambda: self._committed(activation, received)
                )
        except AlreadyAnswered as error:
            mailbox.evict()
            if isinstance(error, AlreadyFired):
                self._durable_timers.fired_before(shard, received.fired)
            self._undo_timers(activation, received)
            await self._recall(shard, fence, received)
        except StaleEpoch as error:
            mailbox.evict()
            self.on_stale()
            self._undo_timers(activation, received)
            self._give_up([envelope for envelope, _ in received.answered], error)
        except Exception as error:
            # An effect that fails leaves memory ahead of what is stored, so memory goes.
            mailbox.evict()
            log.exception("turn.failed", kind=shard.kind, entity=activation.entity_id)
            self._undo_timers(activation, received)
            self._give_up([envelope for envelope, _ in received.answered], error)
        except BaseException:
            self._deactivate(activation)
            raise
        else:
            self._answer(activation, received)
            self._return_results(activation, results)
        self._go_on(activation)

    def _committed(self, activation: Activation, received: Received) -> None:
        shard, entity_id = activation.shard, activation.entity_id
        if shard.has(entity_id, activation.mailbox):
            rows = received.timer_rows(shard.kind, shard.number, entity_id)
            self._durable_timers.committed(received.fired, rows, (shard.kind, shard.number, entity_id))

    def _undo_timers(self, activation: Activation, received: Received) -> None:
        """The turn failed, before its commit for all that is known: its timers fire again, later."""
        for timer in received.fired:
            self._durable_timers.failed(timer)
        if received.durable_timers and activation.shard.has(activation.entity_id, activation.mailbox):
            self._durable_timers.load_soon(activation.shard)

    def _return_results(self, activation: Activation, results: Sequence[Value]) -> None:
        """Puts what the effects came to before the messages that wait."""
        inbox = activation.mailbox.inbox
        assert inbox is not None
        inbox.extendleft(Envelope.internal(activation.entity_id, result) for result in reversed(results))
        self._state.waiting += len(results)

    def _answer(self, activation: Activation, received: Received) -> None:
        for envelope, packed in received.answered:
            envelope.answer(packed)
        if activation.mailbox.entity is not None:
            for seconds, message in received.timers:
                self._arm(activation.shard, activation.entity_id, activation.mailbox, seconds, message)

    # --- turns that come to nothing -----------------------------------------------------------------------

    async def _recall(self, shard: Shard, fence: Fence, received: Received) -> None:
        """Answers a turn in which a call had been answered before: that call as then, the others with "ask again"."""
        for envelope, _ in received.answered:
            self._answers.forget(envelope.caller, envelope.call, envelope.entry)
        try:
            stored = await self._runners[shard.kind].stored_answers(fence)
        except DATABASE_ERRORS:
            raise_if_cancelled()
            stored = []
        calls = {(answer.caller, answer.call): answer.answer for answer in stored}
        for envelope, _ in received.answered:
            again = pack_answer(envelope.call, NOT_MINE, None)
            envelope.answer(calls.get((envelope.caller, envelope.call), again))

    def _give_up(self, envelopes: Iterable[Envelope], error: Exception) -> None:
        for envelope in envelopes:
            if isinstance(error, StaleEpoch):
                self._answers.forget(envelope.caller, envelope.call, envelope.entry)
            envelope.answer(failure(envelope, error))
            if envelope.timer is not None:
                self._durable_timers.failed(envelope.timer)

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

    def _fence(self, shard: Shard) -> Fence:
        return Fence(shard.kind, shard.number, self._state.host, shard.ownership.epoch)
