"""The entities in one host's memory: which shards are here, who is in them, and what arrives for whom."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from zlib import crc32

import structlog

from actors.runtime.errors import BadFrame, DeadlineExceeded, Overloaded, UnknownKind, to_wire
from actors.runtime.hosting.deduplication import DeduplicationTable, Entry, Origin
from actors.runtime.hosting.ownership import Ownership, Status
from actors.runtime.hosting.turns import (
    Envelope,
    Mailbox,
    Received,
    Timer,
    TurnRunner,
    collect,
    failure,
    receive,
    refused,
    too_late,
)
from actors.runtime.kind import Reply, Value
from actors.runtime.shard_map import SHARDS
from actors.runtime.store.rows import DATABASE_ERRORS, AlreadyAnswered, Fence, StaleEpoch
from actors.runtime.transport.frames import DONE, MOVED, NOT_MINE, pack_answer, unpack_body

MAX_WAITING = 100_000
"""Calls that may wait for entities of one host; one more is answered Overloaded."""

log = structlog.get_logger(__name__)


class Shard:
    """One shard of one kind at this host, in whatever status."""

    __slots__ = ("busy", "kind", "mailboxes", "number", "ownership", "parked", "quiet", "serving")

    def __init__(self, kind: str, number: int) -> None:
        self.kind = kind
        self.number = number
        self.ownership = Ownership()
        self.serving = False
        """Status ACTIVE, spelt for the hot path."""
        self.mailboxes: dict[str, Mailbox] = {}
        self.parked: list[Envelope] = []
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


class Mailboxes:
    """Delivers envelopes to entities. Owns no socket and no lease; the host tells it what it may serve."""

    def __init__(self, host: str, owner_of: Callable[[str, int], str]) -> None:
        self.host = host
        self._owner_of = owner_of
        self.shards: dict[str, list[Shard | None]] = {}
        self.runners: dict[str, TurnRunner] = {}
        self.loads: dict[str, KindLoad] = {}
        self.answers = DeduplicationTable()
        self.waiting = 0
        self._serve_until = 0.0
        self._overdue: list[tuple[Shard, str, Mailbox, Timer]] = []
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

    # --- envelopes -----------------------------------------------------------------------------------------

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
            except BadFrame as error:
                answer(pack_answer(call, *to_wire(error)))
                continue
            shards = shards_of.get(kind)
            if shards is None:
                if not kind:
                    try:
                        self.on_runtime_call(origin, call, entity_id, message)
                    except Exception as error:
                        # What comes of one call is not to end the connection of all.
                        log.exception("runtime_call.failed", what=entity_id)
                        answer(pack_answer(call, *to_wire(error)))
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
                mailbox = shard.mailboxes.get(entity_id)
                if mailbox is not None and mailbox.inbox is None and mailbox.entity is not None:
                    known[call] = entry
                    mailbox.used_at = now
                    received = None
                    try:
                        effects = mailbox.entity.receive(message, wall)
                        if len(effects) == 1 and type(effects[0]) is Reply:
                            reply = pack_answer(call, DONE, effects[0].value)
                        else:
                            received = Received()
                            collect(Envelope(caller, call, entity_id, None, 0.0, entry), effects, received)
                    except Exception as error:  # noqa: BLE001 - recorded, and told to the caller
                        received = Received()
                        refused(Envelope(caller, call, entity_id, None, 0.0, entry), error, received)
                    if received is None:
                        # The hot path: a machine that only replies is done before the next call is looked at.
                        entry.answer = reply
                        entry.origin = None
                        answer(reply)
                    else:
                        self._begin(shard, entity_id, mailbox, received)
                    continue
            envelope = Envelope(caller, call, entity_id, message, now + left / 1000, entry)
            self._queue(shard, number, kind, envelope, known)

    def _queue(self, shard: Shard | None, number: int, kind: str, envelope: Envelope, known: dict[int, Entry]) -> None:
        status = Status.ABSENT if shard is None else shard.ownership.status
        if shard is None or status is Status.ABSENT or status is Status.RELEASED:
            self._turn_away(envelope, kind, number)
            return
        if self.waiting >= MAX_WAITING:
            error = pack_answer(envelope.call, Overloaded.status, f"{MAX_WAITING} calls wait at this host")
            if envelope.entry is not None and envelope.entry.origin is not None:
                envelope.entry.origin.answer(error)
            return
        if envelope.entry is not None:
            known[envelope.call] = envelope.entry
        self.loads[kind].queued += 1
        self._admit(shard, envelope)

    def _admit(self, shard: Shard, envelope: Envelope) -> None:
        self.waiting += 1
        if not shard.serving:
            shard.parked.append(envelope)
            return
        mailbox = shard.mailboxes.get(envelope.entity_id)
        if mailbox is None:
            mailbox = shard.mailboxes[envelope.entity_id] = Mailbox()
        if mailbox.inbox is None:
            mailbox.inbox = [envelope]
            self._start(self._work(shard, envelope.entity_id, mailbox, None), shard)
        else:
            mailbox.inbox.append(envelope)

    def _turn_away(self, envelope: Envelope, kind: str, number: int) -> None:
        """The shard is someone else's: the call did not run, and is not remembered."""
        shard = self.shards[kind][number]
        owner = shard.ownership.to if shard is not None and shard.ownership.to else self._owner_of(kind, number)
        entry = envelope.entry
        self.answers.forget(envelope.caller, envelope.call, entry)
        if entry is not None and entry.origin is not None:
            status, value = (MOVED, owner) if owner and owner != self.host else (NOT_MINE, None)
            entry.origin.answer(pack_answer(envelope.call, status, value))

    def let_in(self, shard: Shard) -> None:
        """The shard became ACTIVE: what was parked is delivered, in order."""
        shard.serving = True
        parked, shard.parked = shard.parked, []
        self.waiting -= len(parked)
        for envelope in parked:
            if envelope.entry is None or self.answers.claim(envelope.caller, envelope.call, envelope.entry):
                self._admit(shard, envelope)
        now = time.monotonic()
        for entity_id, mailbox in list(shard.mailboxes.items()):
            for timer in list(mailbox.timers):
                if timer.due <= now:
                    self._wake(shard, entity_id, mailbox, timer)

    def send_on(self, shard: Shard) -> None:
        """The shard is someone else's: what was parked is told so."""
        parked, shard.parked = shard.parked, []
        self.waiting -= len(parked)
        for envelope in parked:
            self._turn_away(envelope, shard.kind, shard.number)

    def clear(self, shard: Shard) -> None:
        """Forgets the shard's entities; turns under way end with their answers, and change nothing here."""
        shard.serving = False
        for mailbox in shard.mailboxes.values():
            for timer in mailbox.timers:
                timer.cancel()
        shard.mailboxes = {}

    # --- turns --------------------------------------------------------------------------------------------

    def _start(self, work: Any, shard: Shard) -> None:
        shard.busy += 1
        shard.quiet.clear()
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _begin(self, shard: Shard, entity_id: str, mailbox: Mailbox, received: Received) -> None:
        mailbox.inbox = []
        self._start(self._work(shard, entity_id, mailbox, received), shard)

    async def _work(self, shard: Shard, entity_id: str, mailbox: Mailbox, received: Received | None) -> None:
        """Turns of one entity until nothing waits for it."""
        again: list[Envelope] = []
        try:
            if received is not None:
                await self._end_turn(shard, entity_id, mailbox, received)
            while again or mailbox.inbox:
                again = await self._turn(shard, entity_id, mailbox, again)
        finally:
            mailbox.inbox = None
            if mailbox.entity is None and mailbox.frozen is None and shard.mailboxes.get(entity_id) is mailbox:
                del shard.mailboxes[entity_id]
            shard.busy -= 1
            if not shard.busy:
                shard.quiet.set()

    async def _turn(self, shard: Shard, entity_id: str, mailbox: Mailbox, again: list[Envelope]) -> list[Envelope]:
        """One turn, of ``again`` or of all that wait; the messages that are to have the next one to themselves."""
        runner = self.runners[shard.kind]
        received = Received()
        fresh = mailbox.entity is None and mailbox.frozen is None
        if mailbox.entity is None:
            try:
                fence = Fence(shard.kind, shard.number, self.host, shard.ownership.epoch)
                mailbox.entity = await runner.load(entity_id, mailbox, fence)
            except Exception as error:
                # Whatever a store raises while loading is the callers' to know; the entity stays out of memory.
                log.exception("entity.load_failed", kind=shard.kind, entity=entity_id)
                self._give_up(self._take(mailbox, again), error)
                return []
        envelopes = self._take(mailbox, again)
        now = time.monotonic()
        if shard.mailboxes.get(entity_id) is not mailbox or now >= self._serve_until:
            if fresh:
                # It was not greeted.
                mailbox.entity = None
            for envelope in envelopes:
                if envelope.entry is None:
                    self.arm(shard, entity_id, mailbox, 0.0, envelope.body)
                else:
                    self._turn_away(envelope, shard.kind, shard.number)
            return []
        if fresh and runner.kind.on_load is not None:
            greeting = Envelope(b"", 0, entity_id, runner.kind.on_load, 0.0, None)
            receive(mailbox.entity, (greeting,), time.time(), received)
            if received.error is not None:
                self._evict(mailbox)
                self._give_up(envelopes, received.error)
                return []
        mailbox.used_at = now
        due = []
        for envelope in envelopes:
            if envelope.entry is not None and envelope.deadline <= now:
                self.answers.forget(envelope.caller, envelope.call, envelope.entry)
                envelope.answer(too_late(envelope))
            else:
                due.append(envelope)
        taken = receive(mailbox.entity, due, time.time(), received)
        again = []
        if received.error is not None:
            # Those before the defect did nothing yet: they come again, in a turn that cannot meet it.
            again = due[: taken - 1]
            mailbox.inbox = due[taken:] + (mailbox.inbox or [])
            self.waiting += len(due) - 1
        await self._end_turn(shard, entity_id, mailbox, received)
        return again

    def _take(self, mailbox: Mailbox, again: list[Envelope]) -> list[Envelope]:
        envelopes = again
        if not again:
            envelopes, mailbox.inbox = mailbox.inbox or [], []
        self.waiting -= len(envelopes)
        return envelopes

    async def _end_turn(self, shard: Shard, entity_id: str, mailbox: Mailbox, received: Received) -> None:
        entity = mailbox.entity
        assert entity is not None
        if received.error is not None:
            self._evict(mailbox)
        if received.effects or received.persist:
            fence = Fence(shard.kind, shard.number, self.host, shard.ownership.epoch)
            try:
                if shard.mailboxes.get(entity_id) is not mailbox:
                    # The shard was lost, and may be ours again at a later epoch that this memory knows nothing of.
                    raise StaleEpoch("the shard was lost during the turn")
                await self.runners[shard.kind].carry_out(entity_id, entity, fence, received)
            except Exception as error:
                # An effect that fails leaves memory ahead of what is stored, so memory goes.
                self._evict(mailbox)
                if isinstance(error, AlreadyAnswered):
                    await self._recall(shard, fence, received)
                    return
                if not isinstance(error, StaleEpoch):
                    log.exception("turn.failed", kind=shard.kind, entity=entity_id)
                else:
                    self.on_stale()
                self._give_up([envelope for envelope, _ in received.answered], error)
                return
        for envelope, packed in received.answered:
            envelope.answer(packed)
        if mailbox.entity is entity:
            for seconds, message in received.timers:
                self.arm(shard, entity_id, mailbox, seconds, message)

    async def _recall(self, shard: Shard, fence: Fence, received: Received) -> None:
        """A leftover of a call that ran long ago was in the turn: it has its answer, the others are to come again."""
        for envelope, _ in received.answered:
            self.answers.forget(envelope.caller, envelope.call, envelope.entry)
        try:
            stored = await self.runners[shard.kind].stored_answers(fence)
        except DATABASE_ERRORS:
            stored = []
        calls = {(answer.caller, answer.call): answer.answer for answer in stored}
        for envelope, _ in received.answered:
            again = pack_answer(envelope.call, NOT_MINE, None)
            envelope.answer(calls.get((envelope.caller, envelope.call), again))

    def _give_up(self, envelopes: list[Envelope], error: Exception) -> None:
        for envelope in envelopes:
            if isinstance(error, StaleEpoch):
                self.answers.forget(envelope.caller, envelope.call, envelope.entry)
            envelope.answer(failure(envelope, error))

    @staticmethod
    def _evict(mailbox: Mailbox) -> None:
        mailbox.entity = None
        for timer in mailbox.timers:
            timer.cancel()
        mailbox.timers.clear()

    # --- timers and passivation ---------------------------------------------------------------------------

    def arm(self, shard: Shard, entity_id: str, mailbox: Mailbox, seconds: float, message: Value) -> None:
        """Delivers ``message`` to the entity in ``seconds``, if its shard is still here."""
        loop = asyncio.get_running_loop()
        timer = Timer(loop.time() + seconds, message)
        timer.handle = loop.call_later(seconds, self._wake, shard, entity_id, mailbox, timer)
        mailbox.timers.append(timer)

    def _wake(self, shard: Shard, entity_id: str, mailbox: Mailbox, timer: Timer) -> None:
        # While the shard is not served the timer stays in the mailbox, and travels or fires later with it.
        if not shard.serving or shard.mailboxes.get(entity_id) is not mailbox or timer not in mailbox.timers:
            return
        if time.monotonic() >= self._serve_until:
            self._overdue.append((shard, entity_id, mailbox, timer))
            return
        mailbox.timers.remove(timer)
        self._admit(shard, Envelope(b"", 0, entity_id, timer.message, 0.0, None))

    def passivate(self, now: float) -> int:
        """Lets go of entities that nobody used for their kind's time; how many went."""
        gone = 0
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
                gone += len(idle)
        return gone

    def population(self) -> Mapping[str, int]:
        """Entities in memory per kind."""
        return {
            kind: sum(len(shard.mailboxes) for shard in shards if shard is not None)
            for kind, shards in self.shards.items()
        }

    async def close(self) -> None:
        """Cancels turns under way."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _refuse_runtime_call(origin: Origin, call: int, what: str, _body: Value) -> None:
    origin.answer(pack_answer(call, UnknownKind.status, f"nothing here answers {what!r}"))
