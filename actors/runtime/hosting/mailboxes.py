"""Delivers calls to the entities in one host's memory, and knows which shards and entities those are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from zlib import crc32

import structlog

from actors.runtime.clock import SYSTEM_CLOCK, Clock
from actors.runtime.errors import BadFrame, DeadlineExceeded, Overloaded, UnknownKind, to_wire
from actors.runtime.hosting.deduplication import DeduplicationTable, Entry, Origin
from actors.runtime.hosting.durable_timers import DurableTimers
from actors.runtime.hosting.loop_budget import LoopBudget
from actors.runtime.hosting.mailbox import CallBatch, Envelope, HostState, KindLoad, Shard
from actors.runtime.hosting.ownership import Status
from actors.runtime.hosting.parked import ParkedMessages
from actors.runtime.hosting.scheduler import SLICE_SECONDS, TurnScheduler
from actors.runtime.hosting.soft_timers import SoftTimers
from actors.runtime.hosting.turns import TurnRunner
from actors.runtime.shard_map import SHARDS
from actors.runtime.transport.frames import MOVED, NOT_MINE, pack_answer, unpack_body
from actors.runtime.value import Value

MAX_WAITING = 100_000
"""Calls that may wait for entities of one host; one more is answered Overloaded."""

log = structlog.get_logger(__name__)


class Mailboxes:
    """Delivers envelopes to entities. Owns no socket and no lease; the host tells it what it may serve."""

    def __init__(self, host: str, owner_of: Callable[[str, int], str], clock: Clock = SYSTEM_CLOCK) -> None:
        """``owner_of`` says which host owns (kind, shard), or ""."""
        self._owner_of = owner_of
        self.clock = clock
        self._state = HostState(host)
        self._budget = LoopBudget(SLICE_SECONDS, clock)
        self.shards: dict[str, list[Shard | None]] = {}
        self.runners: dict[str, TurnRunner] = {}
        self.loads: dict[str, KindLoad] = {}
        self.answers = DeduplicationTable()
        self._timers = SoftTimers(self._state, self._admit, clock)
        self.arm = self._timers.arm
        self.durable_timers = DurableTimers(
            self._state,
            self._record,
            self._admit,
            clock,
            lambda shard, entity_id: self.turns.load_ahead(shard, entity_id),
            lambda: self.turns.loading.under_way,
        )
        self.turns = TurnScheduler(
            self._state, self.answers, self.runners, clock, self._turn_away, self.arm, self.durable_timers
        )
        self.moves_budget = LoopBudget(SLICE_SECONDS, clock)
        """For what is done for all entities or messages of shards that come or go."""
        self._parked = ParkedMessages(self._let_in, self._send_on, self._all_in, self.moves_budget)
        self.on_runtime_call: Callable[[Origin, int, str, Value], None] = _refuse_runtime_call
        """Called for calls to the runtime itself (kind "")."""

    @property
    def host(self) -> str:
        """The incarnation's id."""
        return self._state.host

    @host.setter
    def host(self, incarnation: str) -> None:
        self._state.host = incarnation

    @property
    def serve_until(self) -> float:
        """Monotonic seconds at which the host's lease ends; from then on nothing is served."""
        return self._state.serve_until

    @serve_until.setter
    def serve_until(self, end: float) -> None:
        self._state.serve_until = end
        self._timers.lease_renewed()

    @property
    def waiting(self) -> int:
        """Messages that wait for entities of this host."""
        return self._state.waiting

    def add_kind(self, runner: TurnRunner) -> None:
        """Adds a kind whose entities may live here."""
        name = runner.kind.name
        self.runners[name] = runner
        self.shards[name] = [None] * SHARDS
        self.loads[name] = KindLoad()

    # --- calls arrive -------------------------------------------------------------------------------------

    def deliver(self, origin: Origin, caller: bytes, items: list[Any]) -> None:
        """Delivers the calls of a CALLS frame.

        Raises BadFrame for what no router sends; calls before that point were delivered.
        """
        now = self.clock.monotonic()
        served = now < self._state.serve_until
        known, floor = self.answers.of(caller, items[1], now)
        batch = CallBatch(origin, caller, known, now, self.clock.time())
        for item in items[2:]:
            if type(item) is not list or not 5 <= len(item) <= 6:
                raise BadFrame("a call is [number, kind, entity, milliseconds, body, trace]")
            trace = item.pop() if len(item) == 6 else None  # protocol 2 has none
            call, kind, entity_id, left, packed = item
            if type(call) is not int or type(kind) is not str or type(entity_id) is not str:
                raise BadFrame("a call is [number, kind, entity, milliseconds, body, trace]")
            if not served or call < floor:
                # Below the floor are leftovers: the caller has had the answer, only its batch may be waited for.
                origin.answer(pack_answer(call, NOT_MINE, None))
            elif (entry := known.get(call)) is not None:
                entry.ask_again(origin)
            else:
                try:
                    message = unpack_body(packed)
                except BadFrame as error:
                    origin.answer(pack_answer(call, *to_wire(error)))
                else:
                    if kind:
                        self._deliver(batch, call, kind, entity_id, left, message, trace)
                    else:
                        self._call_runtime(origin, call, entity_id, message)

    def _deliver(
        self, batch: CallBatch, call: int, kind: str, entity_id: str, left: Any, message: Value, trace: Any
    ) -> None:
        """Delivers a call that this host has not seen before."""
        shards = self.shards.get(kind)
        if shards is None:
            batch.origin.answer(pack_answer(call, UnknownKind.status, f"no entities of kind {kind!r} live here"))
            return
        if type(left) is not int or left <= 0:
            batch.origin.answer(pack_answer(call, DeadlineExceeded.status, "the call came after its deadline"))
            return
        number = crc32(entity_id.encode()) % SHARDS
        shard = shards[number]
        self.loads[kind].calls += 1
        entry = Entry((kind, number), b"", batch.origin, trace if type(trace) is str else None)
        if shard is not None and shard.serving:
            mailbox = shard.mailboxes.get(entity_id)
            if (
                mailbox is not None
                and not shard.parked
                and mailbox.inbox is None
                and mailbox.entity is not None
                and not self._budget.spent()
            ):
                batch.known[call] = entry
                mailbox.used_at = batch.now
                self.turns.receive_now(shard, mailbox, batch, call, entity_id, message, entry)
                return
        envelope = Envelope(batch.caller, call, entity_id, message, batch.now + left / 1000, entry)
        self._queue(shard, number, kind, envelope, batch)

    def _queue(self, shard: Shard | None, number: int, kind: str, envelope: Envelope, batch: CallBatch) -> None:
        """Has a call wait for its entity's turn, or for its shard. Whatever waits is bounded."""
        status = Status.ABSENT if shard is None else shard.ownership.status
        if shard is None or status is Status.ABSENT or status is Status.RELEASED:
            self._turn_away(envelope, kind, number)
            return
        inbox_size = self.runners[kind].kind.inbox_size
        if self._state.waiting >= MAX_WAITING:
            refusal = f"{MAX_WAITING} calls wait at this host"
        elif shard.waiting_for(envelope.entity_id) >= inbox_size:
            refusal = f"{inbox_size} calls wait for this entity"
        else:
            assert envelope.entry is not None
            batch.known[envelope.call] = envelope.entry
            self.loads[kind].queued += 1
            self._admit(shard, envelope)
            return
        batch.origin.answer(pack_answer(envelope.call, Overloaded.status, refusal))

    def _call_runtime(self, origin: Origin, call: int, what: str, message: Value) -> None:
        try:
            self.on_runtime_call(origin, call, what, message)
        except Exception as error:
            # What one call causes is not to end the connection of all.
            log.exception("runtime_call.failed", what=what)
            origin.answer(pack_answer(call, *to_wire(error)))

    def _admit(self, shard: Shard, envelope: Envelope) -> None:
        self._state.waiting += 1
        if shard.serves(envelope.entity_id):
            self.turns.submit(shard, envelope)
        else:
            shard.parked.setdefault(envelope.entity_id, []).append(envelope)

    def _turn_away(self, envelope: Envelope, kind: str, number: int) -> None:
        """Tells the caller who owns the shard: the call did not run, and is not remembered."""
        shard = self.shards[kind][number]
        owner = shard.ownership.to if shard is not None and shard.ownership.to else self._owner_of(kind, number)
        entry = envelope.entry
        self.answers.forget(envelope.caller, envelope.call, entry)
        if entry is not None and entry.origin is not None:
            status, value = (MOVED, owner) if owner and owner != self.host else (NOT_MINE, None)
            entry.origin.answer(pack_answer(envelope.call, status, value))

    # --- shards come and go -------------------------------------------------------------------------------

    def shard(self, kind: str, number: int) -> Shard:
        """The shard's record, made on first mention."""
        shards = self.shards[kind]
        shard = shards[number]
        if shard is None:
            shard = shards[number] = Shard(kind, number)
        return shard

    def _record(self, kind: str, number: int) -> Shard | None:
        shards = self.shards.get(kind)
        return shards[number] if shards is not None else None

    def served(self) -> Iterator[Shard]:
        """The shards whose entities receive messages."""
        return (shard for shard in self.present() if shard.serving)

    def present(self) -> Iterator[Shard]:
        """Every shard that was ever mentioned."""
        return (shard for shards in self.shards.values() for shard in shards if shard is not None)

    def let_in(self, shard: Shard) -> None:
        """Delivers what was parked, each entity's in order, and due timers: the shard became ACTIVE."""
        shard.serving = True
        self._parked.let_in(shard)

    def send_on(self, shard: Shard) -> None:
        """Turns away what was parked: the shard is another host's."""
        self._parked.send_on(shard)

    def _let_in(self, shard: Shard, envelope: Envelope) -> None:
        if envelope.entry is None or self.answers.claim(envelope.caller, envelope.call, envelope.entry):
            self.turns.submit(shard, envelope)
        else:
            self._state.waiting -= 1

    def _send_on(self, shard: Shard, envelope: Envelope) -> None:
        self._state.waiting -= 1
        self._turn_away(envelope, shard.kind, shard.number)

    def _all_in(self, shard: Shard) -> None:
        self._timers.fire_due(shard)
        self.durable_timers.load_soon(shard)

    def clear(self, shard: Shard) -> None:
        """Forgets the shard's entities; turns under way end with their answers, and change nothing here."""
        shard.serving = False
        for mailbox in shard.mailboxes.values():
            for timer in mailbox.timers:
                timer.cancel()
        shard.mailboxes = {}
        self.durable_timers.forget(shard)

    # --- entities -----------------------------------------------------------------------------------------

    def passivate(self, now: float) -> int:
        """Drops entities that were idle for their kind's time. Returns how many."""
        passivated = 0
        for kind, shards in self.shards.items():
            after = self.runners[kind].kind.passivate_after
            if after is None:
                continue
            for shard in shards:
                if shard is None or not shard.mailboxes or not shard.serving:
                    continue
                idle = [
                    entity_id
                    for entity_id, mailbox in shard.mailboxes.items()
                    if mailbox.inbox is None and not mailbox.timers and mailbox.used_at < now - after
                ]
                for entity_id in idle:
                    del shard.mailboxes[entity_id]
                passivated += len(idle)
        return passivated

    def population(self) -> Mapping[str, int]:
        """Entities in memory per kind."""
        return {
            kind: sum(len(shard.mailboxes) for shard in shards if shard is not None)
            for kind, shards in self.shards.items()
        }

    async def close(self) -> None:
        """Cancels turns and loads under way."""
        await self.turns.close()
        for runner in self.runners.values():
            await runner.close()


def _refuse_runtime_call(origin: Origin, call: int, what: str, _body: Value) -> None:
    origin.answer(pack_answer(call, UnknownKind.status, f"nothing here answers {what!r}"))
