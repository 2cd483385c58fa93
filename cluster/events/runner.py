"""Runs one consumer in one process: takes batches, handles them, moves the offsets in the same transaction."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic

from cluster.cancellation import raise_if_cancelled
from cluster.events import offsets
from cluster.events.consumer import Consumer
from cluster.events.load import BusyTime
from cluster.events.log import LogUnavailable, Partition, Record
from cluster.events.metrics import PROCESSED
from cluster.events.offsets import OffsetMoved
from cluster.events.retries import OUTAGES, Parked, Retries, reason_of
from cluster.events.tail import Batch, Tail
from cluster.logs import logger
from cluster.postgres import Database
from cluster.storage_errors import DATABASE_ERRORS

_OUTAGES_IN_A_ROW = 5
"""With so many events in an outage one after the other, it is the platform that is ill, not the events."""

_FLUSH_S = 5.0
"""Offsets that moved past events of other types only are written no more often than this,"""
_FLUSH_HANDLED_S = 1.0
"""and those of batches whose handling wrote nothing to Postgres no later than this: after a crash, or a failure of a
later batch, they are handled again."""

log = logger(__name__)


class Outage(Exception):
    """Nothing can be handled at present; the consumer stays where it is."""


@dataclass(slots=True)
class _Isolated:
    """What became of a batch whose events were handled one at a time."""

    parked: list[Parked] = field(default_factory=list)
    ill: list[Parked] = field(default_factory=list)
    """In an outage, all since the last event that was not."""
    done: int = 0
    settled: bool = False
    """Whether any event was not in an outage."""

    def settle(self) -> None:
        """An event was not in an outage, so that of those before it is their own."""
        self.settled = True
        self.parked += self.ill
        self.ill = []


class Runner:
    """One consumer on the partitions that its process reads."""

    def __init__(
        self, consumer: Consumer, database: Database, tail: Tail, retries: Retries, *, brand: str, batch: int = 200
    ) -> None:
        self.consumer = consumer
        self.wake = asyncio.Event()
        self._database = database
        self._tail = tail
        self._retries = retries
        self._brand = brand
        self._batch = batch
        self._outages = (*OUTAGES, *consumer.outages)
        self._numbers: frozenset[int] = frozenset()
        self._stored: dict[Partition, int] | None = {}
        """As in Postgres; None: to be read."""
        self._positions: dict[Partition, int] = {}
        """Up to where this process has come; further than stored where nothing was written to Postgres."""
        self._flush_at = monotonic() + _FLUSH_S
        self.busy = BusyTime(monotonic())
        self.at: datetime | None = None
        """When the event occurred that this consumer is at; None: it has finished all, or waits for an outage's end."""
        tail.listen(self.wake, consumer.types)

    def assign(self, numbers: frozenset[int]) -> None:
        """From now on, handle events of these partitions, from the stored offsets on."""
        self._numbers = numbers
        self._stored = None
        self.wake.set()

    def begin(self, stored: dict[Partition, int]) -> None:
        """These are the stored offsets of what is assigned: nothing else may run, and `Retries` must have loaded."""
        self._stored, self._positions = stored, dict(stored)

    async def step(self) -> int:
        """Handle one batch; returns how many events were passed. Raises Outage, LogUnavailable, DATABASE_ERRORS: then
        nothing has moved, or what is before the events in an outage."""
        stored = self._stored if self._stored is not None else await self._load()
        batch = await self._tail.take(self._positions, self._batch)
        self.at = batch.records[0].event.occurred_at if batch.records else None
        if not batch.upto:
            return 0
        wanted = [record for record in batch.records if record.event.type in self.consumer.types]
        self.busy.begin(monotonic())
        try:
            if wanted:
                await self._handle(wanted, batch, stored)
            self._positions |= batch.upto
            if self._flush_at < monotonic():
                await self._flush()
        except OffsetMoved:
            log.warning("offsets moved elsewhere", consumer=self.consumer.name)
            self._stored = None
        except BaseException:
            self._stored = None  # what was committed is known to Postgres alone
            raise
        finally:
            self.busy.end(monotonic())
        return len(batch.records)

    async def _load(self) -> dict[Partition, int]:
        """The stored offsets. Partitions may be assigned anew at any await: then they are read again for the next
        batch, while this one, if another process has taken its partitions, fails with OffsetMoved."""
        numbers = self._numbers
        await self._retries.load(self.consumer.name)
        stored = (await offsets.load(self._database, [self.consumer.name], numbers))[self.consumer.name]
        self._positions = dict(stored)
        self._stored = stored if numbers == self._numbers else None
        return stored

    def _noted(self, upto: dict[Partition, int]) -> None:
        """Unless offsets are to be read anew anyway."""
        if self._stored is not None:
            self._stored |= upto

    async def flush(self) -> None:
        """Store offsets that moved without a transaction. Raises DATABASE_ERRORS."""
        try:
            await self._flush()
        except OffsetMoved:
            self._stored = None

    async def _flush(self) -> None:
        if moves := self.unwritten:
            async with self._database.unit_of_work() as uow:
                await offsets.advance(uow, {self.consumer.name: moves})
                await uow.commit()
            self._noted({partition: upto for partition, (_, upto) in moves.items()})
            self._flush_at = monotonic() + _FLUSH_S

    async def _handle(self, wanted: Sequence[Record], batch: Batch, stored: dict[Partition, int]) -> None:
        waiting = {record.event.key for record in wanted if self._waits(record)}
        parked = [Parked(record) for record in wanted if record.event.key in waiting]
        now = [record for record in wanted if record.event.key not in waiting]
        moves = _moves(stored, batch.upto)
        try:
            async with self._database.unit_of_work() as uow:
                if now:
                    await self.consumer.handle(uow, [record.event for record in now])
                if parked:
                    await self._retries.park(uow, self.consumer.name, parked)
                if written := uow.has_written:
                    await offsets.advance(uow, {self.consumer.name: moves})
                await uow.commit()
        except OffsetMoved:
            raise
        except Exception as error:
            raise_if_cancelled()
            if not now:
                raise
            log.info("batch failed", consumer=self.consumer.name, error=type(error).__name__, events=len(now))
        else:
            self._count("done", len(now))
            if written:
                self._noted(batch.upto)
            else:
                self._flush_at = min(self._flush_at, monotonic() + _FLUSH_HANDLED_S)
            return
        await self._retries.load(self.consumer.name)
        await self._isolate(wanted, batch, stored)

    def _waits(self, record: Record) -> bool:
        return self.consumer.outside or self._retries.waits(self.consumer.name, record.event.key)

    async def _isolate(self, wanted: Sequence[Record], batch: Batch, stored: dict[Partition, int]) -> None:
        """Handle events one at a time, each under a savepoint; park those that fail, and what follows them."""
        found = _Isolated()
        upto = dict(batch.upto)
        async with self._database.unit_of_work() as uow:
            for record in wanted:
                keys = {one.record.event.key for one in (*found.parked, *found.ill)}
                if record.event.key in keys or self._waits(record):
                    found.parked.append(Parked(record))
                    continue
                try:
                    async with uow.savepoint():
                        await self.consumer.handle(uow, [record.event])
                except self._outages as error:
                    raise_if_cancelled()
                    found.ill.append(Parked(record, 0, reason_of(error), self.consumer.retry_after))
                    if len(found.ill) == _OUTAGES_IN_A_ROW:
                        break
                except Exception as error:  # noqa: BLE001 - whatever a handler raises is an attempt
                    raise_if_cancelled()
                    found.settle()
                    found.parked.append(Parked(record, 1, reason_of(error), self.consumer.pause(1)))
                else:
                    found.settle()
                    found.done += 1
            outage = found.ill if len(found.ill) == _OUTAGES_IN_A_ROW or not found.settled else []
            if outage:
                end = outage[0].record.position - 1
                upto = {each: min(position, end) for each, position in upto.items()}
                upto = {each: position for each, position in upto.items() if position > self._positions[each]}
            else:
                found.parked += found.ill
            # Of a key whose first event is in the outage nothing may be parked: it is read again.
            parked = [one for one in found.parked if not outage or one.record.position < outage[0].record.position]
            if parked:
                await self._retries.park(uow, self.consumer.name, sorted(parked, key=_position))
            if upto:
                await offsets.advance(uow, {self.consumer.name: _moves(stored, upto)})
            await uow.commit()
        self._count("done", found.done)
        self._count("retried", sum(one.attempts for one in parked))
        self._noted(upto)
        for one in parked:
            if one.reason:
                event = one.record.event
                reason = one.reason.partition(":")[0]
                log.warning("event parked", consumer=self.consumer.name, event_type=event.type, reason=reason)
        if outage:
            self._count("postponed", len(outage))
            raise Outage(outage[0].reason)

    def _count(self, outcome: str, events: int) -> None:
        if events:
            PROCESSED.labels(self._brand, self.consumer.name, outcome).inc(events)

    async def run(self) -> None:
        """Handle events until cancelled; survives outages."""
        pause = 0.1
        while True:
            self.wake.clear()
            try:
                while await self.step():
                    pause = 0.1
                try:
                    async with asyncio.timeout(max(0.0, self._flush_at - monotonic()) if self.unwritten else None):
                        await self.wake.wait()
                except TimeoutError:
                    await self.flush()
            except (Outage, LogUnavailable, *DATABASE_ERRORS) as error:
                raise_if_cancelled()
                self.at = None  # another process would be in the same outage
                log.warning("consumer waits", consumer=self.consumer.name, error=type(error).__name__)
                await asyncio.sleep(pause)
                pause = min(2 * pause, 5.0)

    @property
    def unwritten(self) -> dict[Partition, tuple[int, int]]:
        """Offsets that moved without a transaction: per partition from which to which."""
        stored = self._stored or {}
        upto = {partition: self._positions[partition] for partition in stored}
        return _moves(stored, {each: position for each, position in upto.items() if position > stored[each]})


def _moves(stored: dict[Partition, int], upto: dict[Partition, int]) -> dict[Partition, tuple[int, int]]:
    """Per partition from which offset to which."""
    return {partition: (stored[partition], position) for partition, position in upto.items()}


def _position(parked: Parked) -> int:
    return parked.record.position
