"""The entities in one host's memory: which shards are here, who is in them, and what arrives for whom."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from zlib import crc32

import structlog

from actors.runtime.answers import AnswerMemory, Entry, Origin
from actors.runtime.entity import Reply, Value
from actors.runtime.errors import BadFrame, DeadlineExceeded, Overloaded, UnknownKind, to_wire
from actors.runtime.frames import DONE, MOVED, NOT_MINE, pack_answer, unpack_body
from actors.runtime.ownership import Ownership, Status
from actors.runtime.shards import SHARDS
from actors.runtime.turns import (
    Arrival,
    Received,
    Slot,
    Timer,
    TurnRunner,
    collect,
    failure,
    receive,
    refused,
    too_late,
)
from cluster.shards import DATABASE_FAULTS, AlreadyAnswered, Fence, StaleEpoch

MOST_WAITING = 100_000
"""Calls that may wait for entities of one host; one more is answered Overloaded."""

log = structlog.get_logger(__name__)


class Shard:
    """One shard of one kind at this host, in whatever status."""

    __slots__ = ("busy", "held", "kind", "number", "ownership", "quiet", "serving", "slots")

    def __init__(self, kind: str, number: int) -> None:
        self.kind = kind
        self.number = number
        self.ownership = Ownership()
        self.serving = False
        """Status ACTIVE, spelt for the hot path."""
        self.slots: dict[str, Slot] = {}
        self.held: list[Arrival] = []
        self.busy = 0
        """Entities with a turn under way."""
        self.quiet = asyncio.Event()
        self.quiet.set()


class KindLoad:
    """Counters of one kind since the last look."""

    __slots__ = ("calls", "queued")

    def __init__(self) -> None:
        self.calls = 0
        self.queued = 0


class Residents:
    """Delivers arrivals to entities. Owns no socket and no lease; the host tells it what it may serve."""

    def __init__(self, host: str, owner_of: Callable[[str, int], str]) -> None:
        self.host = host
        self._owner_of = owner_of
        self.shards: dict[str, list[Shard | None]] = {}
        self.runners: dict[str, TurnRunner] = {}
        self.loads: dict[str, KindLoad] = {}
        self.answers = AnswerMemory()
        self.waiting = 0
        self._serve_until = 0.0
        self._overdue: list[tuple[Shard, str, Slot, Timer]] = []
        """Timers that were due after the lease had ended."""
        self.on_stale: Callable[[], None] = lambda: None
        """Called when the database refused a turn: the map here is old."""
        self.on_runtime_call: Callable[[Origin, int, str, Value], None] = _refuse_runtime_call
        """Called for calls to the runtime itself (kind "")."""
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def serve_until(self) -> float:
        """Monotonic seconds at which the host's lease ends; from then on nothing is served."""
        return self._serve_until

    @serve_until.setter
    def serve_until(self, end: float) -> None:
        self._serve_until = end
        if self._overdue:
            overdue, self._overdue = self._overdue, []
            for timer in overdue:
                self._wake(*timer)

    def add_kind(self, runner: TurnRunner) -> None:
        """A kind that may live here."""
        name = runner.kind.name
        self.runners[name] = runner
        self.shards[name] = [None] * SHARDS
        self.loads[name] = KindLoad()

    def shard(self, kind: str, number: int) -> Shard:
        """The shard's record, made on first mention."""
        shards = self.shards[kind]
        shard = shards[number]
        if shard is None:
            shard = shards[number] = Shard(kind, number)
        return shard

    def present(self) -> Iterator[Shard]:
        """Every shard that was ever mentioned."""
        return (shard for shards in self.shards.values() for shard in shards if shard is not None)

    # --- arrivals -----------------------------------------------------------------------------------------

    def deliver(self, origin: Origin, caller: bytes, items: list[Any]) -> None:
        """A CALLS frame. Raises BadFrame for what no router sends; calls before that point were delivered."""
        now = time.monotonic()
        wall = time.time()
        served = now < self.serve_until
        known, floor = self.answers.of(caller, items[1], now)
        shards_of, loads, answer = self.shards, self.loads, origin.answer
        for item in items[2:]:
            if type(item) is not list or len(item) != 5:
                raise BadFrame("a call is [number, kind, entity, milliseconds, body]")
            call, kind, entity_id, left, packed = item
            if type(call) is not int or type(kind) is not str or type(entity_id) is not str:
                raise BadFrame("a call is [number, kind, entity, milliseconds, body]")
            if not served:
                answer(pack_answer(call, NOT_MINE, None))
                continue
            if call < floor:
                # A leftover: its caller has had the answer, only the batch that it came with may be waited for.
                answer(pack_answer(call, NOT_MINE, None))
                continue
            entry = known.get(call)
            if entry is not None:
                entry.ask_again(origin)
                continue
            try:
                message = unpack_body(packed)
            except BadFrame as fault:
                answer(pack_answer(call, *to_wire(fault)))
                continue
            shards = shards_of.get(kind)
            if shards is None:
                if not kind:
                    try:
                        self.on_runtime_call(origin, call, entity_id, message)
                    except Exception as fault:
                        # What comes of one call is not to end the connection of all.
                        log.exception("runtime_call.failed", what=entity_id)
                        answer(pack_answer(call, *to_wire(fault)))
                    continue
                answer(pack_answer(call, UnknownKind.status, f"no entities of kind {kind!r} live here"))
                continue
            if type(left) is not int or left <= 0:
                answer(pack_answer(call, DeadlineExceeded.status, "the call came after its deadline"))
                continue
            number = crc32(entity_id.encode()) % SHARDS
            shard = shards[number]
            loads[kind].calls += 1
            entry = Entry((kind, number), b"", origin)
            if shard is not None and shard.serving:
                slot = shard.slots.get(entity_id)
                if slot is not None and slot.inbox is None and slot.entity is not None:
                    known[call] = entry
                    slot.used_at = now
                    received = None
                    try:
                        effects = slot.entity.receive(message, wall)
                        if len(effects) == 1 and type(effects[0]) is Reply:
                            reply = pack_answer(call, DONE, effects[0].value)
                        else:
                            received = Received()
                            collect(Arrival(caller, call, entity_id, None, 0.0, entry), effects, received)
                    except Exception as fault:  # noqa: BLE001 - recorded, and told to the caller
                        received = Received()
                        refused(Arrival(caller, call, entity_id, None, 0.0, entry), fault, received)
                    if received is None:
                        # The hot path: a machine that only replies is done before the next call is looked at.
                        entry.answer = reply
                        entry.origin = None
                        answer(reply)
                    else:
                        self._begin(shard, entity_id, slot, received)
                    continue
            arrival = Arrival(caller, call, entity_id, message, now + left / 1000, entry)
            self._queue(shard, number, kind, arrival, known)

    def _queue(self, shard: Shard | None, number: int, kind: str, arrival: Arrival, known: dict[int, Entry]) -> None:
        status = Status.ABSENT if shard is None else shard.ownership.status
        if shard is None or status is Status.ABSENT or status is Status.RELEASED:
            self._turn_away(arrival, kind, number)
            return
        if self.waiting >= MOST_WAITING:
            fault = pack_answer(arrival.call, Overloaded.status, f"{MOST_WAITING} calls wait at this host")
            if arrival.entry is not None and arrival.entry.origin is not None:
                arrival.entry.origin.answer(fault)
            return
        if arrival.entry is not None:
            known[arrival.call] = arrival.entry
        self.loads[kind].queued += 1
        self._admit(shard, arrival)

    def _admit(self, shard: Shard, arrival: Arrival) -> None:
        self.waiting += 1
        if not shard.serving:
            shard.held.append(arrival)
            return
        slot = shard.slots.get(arrival.entity_id)
        if slot is None:
            slot = shard.slots[arrival.entity_id] = Slot()
        if slot.inbox is None:
            slot.inbox = [arrival]
            self._start(self._work(shard, arrival.entity_id, slot, None), shard)
        else:
            slot.inbox.append(arrival)

    def _turn_away(self, arrival: Arrival, kind: str, number: int) -> None:
        """The shard is someone else's: the call did not run, and is not remembered."""
        shard = self.shards[kind][number]
        owner = shard.ownership.to if shard is not None and shard.ownership.to else self._owner_of(kind, number)
        entry = arrival.entry
        self.answers.forget(arrival.caller, arrival.call, entry)
        if entry is not None and entry.origin is not None:
            status, value = (MOVED, owner) if owner and owner != self.host else (NOT_MINE, None)
            entry.origin.answer(pack_answer(arrival.call, status, value))

    def let_in(self, shard: Shard) -> None:
        """The shard became ACTIVE: what was held is delivered, in order."""
        shard.serving = True
        held, shard.held = shard.held, []
        self.waiting -= len(held)
        for arrival in held:
            if arrival.entry is None or self.answers.claim(arrival.caller, arrival.call, arrival.entry):
                self._admit(shard, arrival)
        now = time.monotonic()
        for entity_id, slot in list(shard.slots.items()):
            for timer in list(slot.timers):
                if timer.due <= now:
                    self._wake(shard, entity_id, slot, timer)

    def send_on(self, shard: Shard) -> None:
        """The shard is someone else's: what was held is told so."""
        held, shard.held = shard.held, []
        self.waiting -= len(held)
        for arrival in held:
            self._turn_away(arrival, shard.kind, shard.number)

    def clear(self, shard: Shard) -> None:
        """Forgets the shard's entities; turns under way end with their answers, and change nothing here."""
        shard.serving = False
        for slot in shard.slots.values():
            for timer in slot.timers:
                timer.cancel()
        shard.slots = {}

    # --- turns --------------------------------------------------------------------------------------------

    def _start(self, work: Any, shard: Shard) -> None:
        shard.busy += 1
        shard.quiet.clear()
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _begin(self, shard: Shard, entity_id: str, slot: Slot, received: Received) -> None:
        slot.inbox = []
        self._start(self._work(shard, entity_id, slot, received), shard)

    async def _work(self, shard: Shard, entity_id: str, slot: Slot, received: Received | None) -> None:
        """Turns of one entity until nothing waits for it."""
        again: list[Arrival] = []
        try:
            if received is not None:
                await self._end_turn(shard, entity_id, slot, received)
            while again or slot.inbox:
                again = await self._turn(shard, entity_id, slot, again)
        finally:
            slot.inbox = None
            if slot.entity is None and slot.frozen is None and shard.slots.get(entity_id) is slot:
                del shard.slots[entity_id]
            shard.busy -= 1
            if not shard.busy:
                shard.quiet.set()

    async def _turn(self, shard: Shard, entity_id: str, slot: Slot, again: list[Arrival]) -> list[Arrival]:
        """One turn, of ``again`` or of all that wait; the messages that are to have the next one to themselves."""
        runner = self.runners[shard.kind]
        received = Received()
        fresh = slot.entity is None and slot.frozen is None
        if slot.entity is None:
            try:
                fence = Fence(shard.kind, shard.number, self.host, shard.ownership.epoch)
                slot.entity = await runner.load(entity_id, slot, fence)
            except Exception as fault:
                # Whatever a store raises while loading is the callers' to know; the entity stays out of memory.
                log.exception("entity.load_failed", kind=shard.kind, entity=entity_id)
                self._give_up(self._take(slot, again), fault)
                return []
        arrivals = self._take(slot, again)
        now = time.monotonic()
        if shard.slots.get(entity_id) is not slot or now >= self._serve_until:
            if fresh:
                # It was not greeted.
                slot.entity = None
            for arrival in arrivals:
                if arrival.entry is None:
                    self.arm(shard, entity_id, slot, 0.0, arrival.body)
                else:
                    self._turn_away(arrival, shard.kind, shard.number)
            return []
        if fresh and runner.kind.on_load is not None:
            greeting = Arrival(b"", 0, entity_id, runner.kind.on_load, 0.0, None)
            receive(slot.entity, (greeting,), time.time(), received)
            if received.fault is not None:
                self._evict(slot)
                self._give_up(arrivals, received.fault)
                return []
        slot.used_at = now
        due = []
        for arrival in arrivals:
            if arrival.entry is not None and arrival.deadline <= now:
                self.answers.forget(arrival.caller, arrival.call, arrival.entry)
                arrival.answer(too_late(arrival))
            else:
                due.append(arrival)
        taken = receive(slot.entity, due, time.time(), received)
        again = []
        if received.fault is not None:
            # Those before the defect did nothing yet: they come again, in a turn that cannot meet it.
            again = due[: taken - 1]
            slot.inbox = due[taken:] + (slot.inbox or [])
            self.waiting += len(due) - 1
        await self._end_turn(shard, entity_id, slot, received)
        return again

    def _take(self, slot: Slot, again: list[Arrival]) -> list[Arrival]:
        arrivals = again
        if not again:
            arrivals, slot.inbox = slot.inbox or [], []
        self.waiting -= len(arrivals)
        return arrivals

    async def _end_turn(self, shard: Shard, entity_id: str, slot: Slot, received: Received) -> None:
        entity = slot.entity
        assert entity is not None
        if received.fault is not None:
            self._evict(slot)
        if received.effects or received.persist:
            fence = Fence(shard.kind, shard.number, self.host, shard.ownership.epoch)
            try:
                if shard.slots.get(entity_id) is not slot:
                    # The shard was lost, and may be ours again at a later epoch that this memory knows nothing of.
                    raise StaleEpoch("the shard was lost during the turn")
                await self.runners[shard.kind].carry_out(entity_id, entity, fence, received)
            except Exception as fault:
                # An effect that fails leaves memory ahead of what is stored, so memory goes.
                self._evict(slot)
                if isinstance(fault, AlreadyAnswered):
                    await self._recall(shard, fence, received)
                    return
                if not isinstance(fault, StaleEpoch):
                    log.exception("turn.failed", kind=shard.kind, entity=entity_id)
                else:
                    self.on_stale()
                self._give_up([arrival for arrival, _ in received.answered], fault)
                return
        for arrival, packed in received.answered:
            arrival.answer(packed)
        if slot.entity is entity:
            for seconds, message in received.timers:
                self.arm(shard, entity_id, slot, seconds, message)

    async def _recall(self, shard: Shard, fence: Fence, received: Received) -> None:
        """A leftover of a call that ran long ago was in the turn: it has its answer, the others are to come again."""
        for arrival, _ in received.answered:
            self.answers.forget(arrival.caller, arrival.call, arrival.entry)
        try:
            stored = await self.runners[shard.kind].stored_answers(fence)
        except DATABASE_FAULTS:
            stored = []
        calls = {(answer.caller, answer.call): answer.answer for answer in stored}
        for arrival, _ in received.answered:
            again = pack_answer(arrival.call, NOT_MINE, None)
            arrival.answer(calls.get((arrival.caller, arrival.call), again))

    def _give_up(self, arrivals: list[Arrival], fault: Exception) -> None:
        for arrival in arrivals:
            if isinstance(fault, StaleEpoch):
                self.answers.forget(arrival.caller, arrival.call, arrival.entry)
            arrival.answer(failure(arrival, fault))

    @staticmethod
    def _evict(slot: Slot) -> None:
        slot.entity = None
        for timer in slot.timers:
            timer.cancel()
        slot.timers.clear()

    # --- timers and passivation ---------------------------------------------------------------------------

    def arm(self, shard: Shard, entity_id: str, slot: Slot, seconds: float, message: Value) -> None:
        """Delivers ``message`` to the entity in ``seconds``, if its shard is still here."""
        loop = asyncio.get_running_loop()
        timer = Timer(loop.time() + seconds, message)
        timer.handle = loop.call_later(seconds, self._wake, shard, entity_id, slot, timer)
        slot.timers.append(timer)

    def _wake(self, shard: Shard, entity_id: str, slot: Slot, timer: Timer) -> None:
        # While the shard is not served the timer stays in the slot, and travels or fires later with it.
        if not shard.serving or shard.slots.get(entity_id) is not slot or timer not in slot.timers:
            return
        if time.monotonic() >= self._serve_until:
            self._overdue.append((shard, entity_id, slot, timer))
            return
        slot.timers.remove(timer)
        self._admit(shard, Arrival(b"", 0, entity_id, timer.message, 0.0, None))

    def passivate(self, now: float) -> int:
        """Lets go of entities that nobody used for their kind's time; how many went."""
        gone = 0
        for kind, shards in self.shards.items():
            after = self.runners[kind].kind.passivate_after
            if after is None:
                continue
            for shard in shards:
                if shard is None or not shard.slots or not shard.serving:
                    continue
                idle = [
                    entity_id
                    for entity_id, slot in shard.slots.items()
                    if slot.inbox is None and not slot.timers and slot.used_at < now - after
                ]
                for entity_id in idle:
                    del shard.slots[entity_id]
                gone += len(idle)
        return gone

    def population(self) -> Mapping[str, int]:
        """Entities in memory per kind."""
        return {
            kind: sum(len(shard.slots) for shard in shards if shard is not None) for kind, shards in self.shards.items()
        }

    async def close(self) -> None:
        """Cancels turns under way."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _refuse_runtime_call(origin: Origin, call: int, what: str, _body: Value) -> None:
    origin.answer(pack_answer(call, UnknownKind.status, f"nothing here answers {what!r}"))
