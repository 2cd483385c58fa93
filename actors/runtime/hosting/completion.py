"""The end of a turn: its effects are carried out and its calls answered, or it comes to nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

import structlog

from actors.runtime.hosting.activation import Activation
from actors.runtime.hosting.deduplication import DeduplicationTable
from actors.runtime.hosting.durable_timers import DurableTimers
from actors.runtime.hosting.mailbox import Envelope, HostState, Mailbox, Shard
from actors.runtime.hosting.turns import Received, TurnRunner, failure
from actors.runtime.metrics import TIMERS
from actors.runtime.store.rows import DATABASE_ERRORS, AlreadyAnswered, AlreadyFired, Fence, StaleEpoch
from actors.runtime.transport.frames import NOT_MINE, pack_answer
from actors.runtime.value import Value
from cluster.cancellation import cancellation_first, raise_if_cancelled
from cluster.trace import resume_trace

log = structlog.get_logger(__name__)


class TurnCompletion:
    """Completes the turns of one host."""

    def __init__(
        self,
        state: HostState,
        answers: DeduplicationTable,
        runners: Mapping[str, TurnRunner],
        arm: Callable[[Shard, str, Mailbox, float, Value], None],
        durable_timers: DurableTimers,
        on_stale: Callable[[], None],
    ) -> None:
        """``arm`` sets a soft timer, ``on_stale`` is called when the database refused a turn."""
        self._state = state
        self._answers = answers
        self._runners = runners
        self._arm = arm
        self._durable_timers = durable_timers
        self._on_stale = on_stale

    def commit(self, activation: Activation, received: Received) -> asyncio.Future[None] | None:
        """Begins to commit what a turn stores; None: it stores nothing."""
        shard, mailbox = activation.shard, activation.mailbox
        assert mailbox.entity is not None
        fence = received.fence = Fence(shard.kind, shard.number, self._state.host, shard.ownership.epoch)
        try:
            if not shard.has(activation.entity_id, mailbox):
                # The shard was lost, and may be ours again at a later epoch that this memory knows nothing of.
                raise StaleEpoch("the shard was lost during the turn")
            return self._runners[shard.kind].commit(activation.entity_id, mailbox.entity, fence, received)
        except Exception as error:  # noqa: BLE001 - whoever completes the turn finds it
            failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            failed.set_exception(error)
            return failed

    def committed(self, activation: Activation, received: Received) -> None:
        """What the turn stores is committed."""
        shard, entity_id = activation.shard, activation.entity_id
        for timer in received.fired:
            TIMERS.labels(shard.kind, timer.row.name).inc()
        if shard.has(entity_id, activation.mailbox):
            rows = received.timer_rows(shard.kind, shard.number, entity_id)
            self._durable_timers.committed(received.fired, rows, (shard.kind, shard.number, entity_id))

    async def complete(
        self, activation: Activation, received: Received, committing: asyncio.Future[None] | None
    ) -> None:
        """Has the other effects of a turn done once it is committed, then answers its calls. What fails, their callers
        are told."""
        resume_trace(received.trace)
        shard, mailbox = activation.shard, activation.mailbox
        entity = mailbox.entity
        assert entity is not None
        try:
            with cancellation_first():
                if committing is not None:
                    await committing
                    self.committed(activation, received)
                results = await self._runners[shard.kind].act(activation.entity_id, entity, received.fence, received)
        except AlreadyAnswered as error:
            mailbox.evict()
            if isinstance(error, AlreadyFired):
                self._durable_timers.fired_before(shard, received.fired)
            self._undo_timers(activation, received)
            await self._recall(shard, received.fence, received)
        except StaleEpoch as error:
            mailbox.evict()
            self._on_stale()
            self._undo_timers(activation, received)
            self.give_up([envelope for envelope, _ in received.answered], error)
        except Exception as error:
            # An effect that fails leaves memory ahead of what is stored, so memory goes.
            mailbox.evict()
            log.exception("turn.failed", kind=shard.kind, entity=activation.entity_id)
            self._undo_timers(activation, received)
            self.give_up([envelope for envelope, _ in received.answered], error)
        else:
            self.answer(activation, received)
            self._return_results(activation, results)

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

    def answer(self, activation: Activation, received: Received) -> None:
        """Answers the calls of a turn whose effects are carried out, and sets its soft timers."""
        for envelope, packed in received.answered:
            envelope.answer(packed)
        if activation.mailbox.entity is not None:
            for seconds, message in received.timers:
                self._arm(activation.shard, activation.entity_id, activation.mailbox, seconds, message)

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

    def give_up(self, envelopes: Iterable[Envelope], error: Exception) -> None:
        """Tells the callers of these messages what failed."""
        for envelope in envelopes:
            if isinstance(error, StaleEpoch):
                self._answers.forget(envelope.caller, envelope.call, envelope.entry)
            envelope.answer(failure(envelope, error))
            if envelope.timer is not None:
                self._durable_timers.failed(envelope.timer)
