"""Parked events: what a consumer has passed and still has to handle, in Postgres, each key in order.

An event is parked when it failed, when an earlier one of its key is parked, or at once for a consumer that works
outside. Only the first parked event of a key is handled; the others of that key wait, other keys do not.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cluster.cancellation import raise_if_cancelled
from cluster.events.consumer import Consumer
from cluster.events.event import Event
from cluster.events.log import Record
from cluster.events.metrics import PROCESSED
from cluster.logs import logger
from cluster.postgres import Database, UnitOfWork
from cluster.redis import RedisConnectionError, RedisTimeoutError
from cluster.storage_errors import DATABASE_ERRORS
from cluster.trace import start_trace

OUTAGES: tuple[type[Exception], ...] = (RedisConnectionError, RedisTimeoutError)
"""Those of every consumer. One of Postgres shows in that nothing can be committed."""

_AT_ONCE = 100
_OUTAGE_S = 1.0

_PARK = """
insert into event_retries (consumer, partition, key, event, attempts, reason, due_at)
select $1, partition, key, event, attempts, reason, now() + pause
from unnest($2::smallint[], $3::text[], $4::jsonb[], $5::smallint[], $6::text[], $7::interval[])
    with ordinality as parked(partition, key, event, attempts, reason, pause, number)
order by number
returning id, key
"""

_LOAD = "select id, consumer, key from event_retries where consumer = any($1) and partition = any($2)"

_DUE = f"""
select id, consumer, key, event, attempts, reason from event_retries as first
where consumer = any($1) and partition = any($2) and due_at <= now() and not id = any($3) and not exists (
    select from event_retries as earlier
    where earlier.consumer = first.consumer and earlier.key = first.key and earlier.id < first.id
)
order by id limit {_AT_ONCE}
"""

_DONE = "delete from event_retries where id = $1 returning id"

_LATER = """
update event_retries set attempts = $2, reason = $3, due_at = now() + $4::interval where id = $1
"""

_GIVE_UP = """
with failed as (delete from event_retries where id = $1 returning *)
insert into event_dead_letters (consumer, partition, key, event, attempts, reason)
select consumer, partition, key, event, $2, $3 from failed
"""

log = logger(__name__)


class _Gone(Exception):
    """Another process has handled the event: what was done here must not stand."""


@dataclass(frozen=True, slots=True)
class Parked:
    """A record to park: after how many failed attempts, why, and for how long at least."""

    record: Record
    attempts: int = 0
    reason: str = ""
    pause: timedelta = timedelta(0)


class Retries:
    """The parked events of one process' partitions and consumers. `changed` is set when there may be some to handle."""

    def __init__(self, consumers: Sequence[Consumer], database: Database, brand: str) -> None:
        self._consumers = {consumer.name: consumer for consumer in consumers}
        self._database = database
        self._brand = brand
        self._partitions: frozenset[int] = frozenset()
        self._parked: dict[str, dict[str, set[int]]] = {name: {} for name in self._consumers}
        self._running: dict[int, asyncio.Task[None]] = {}
        self._new: dict[int, datetime] = {}
        """When those of them occurred that nobody has tried before."""
        self._postponed: dict[int, int] = {}
        """How many times in a row this process has postponed a parked event."""
        self._slots = {consumer.name: asyncio.Semaphore(consumer.concurrency) for consumer in consumers}
        self.changed = asyncio.Event()

    def assign(self, partitions: Iterable[int]) -> None:
        """From now on, handle what is parked in these partitions."""
        if self._partitions != (held := frozenset(partitions)):
            self._postponed.clear()
        self._partitions = held
        self.changed.set()

    async def load(self, *consumers: str) -> None:
        """Learn which keys of consumers wait. Raises DATABASE_ERRORS."""
        parked: dict[str, dict[str, set[int]]] = {consumer: {} for consumer in consumers}
        for row in await self._database.pool.fetch(_LOAD, consumers, list(self._partitions)):
            parked[row["consumer"]].setdefault(row["key"], set()).add(row["id"])
        self._parked |= parked

    def waits(self, consumer: str, key: str) -> bool:
        """Whether an earlier event of this key is parked."""
        return key in self._parked[consumer]

    @property
    def empty(self) -> bool:
        """Whether nothing is parked, as far as this process knows."""
        return not any(self._parked.values())

    async def park(self, uow: UnitOfWork, consumer: str, parked: Sequence[Parked]) -> None:
        """Write parked events. If the unit is not committed after all, call `load` again."""
        rows = await uow.fetch(
            _PARK,
            consumer,
            [one.record.partition.number for one in parked],
            [one.record.event.key for one in parked],
            [one.record.event.encode().decode() for one in parked],
            [one.attempts for one in parked],
            [one.reason for one in parked],
            [one.pause for one in parked],
        )
        keys = self._parked[consumer]
        for row in rows:
            keys.setdefault(row["key"], set()).add(row["id"])
        uow.after_commit(self._announce)

    async def _announce(self) -> None:
        self.changed.set()

    async def start_due(self) -> int:
        """Begin to handle what is due; returns how many events. Raises DATABASE_ERRORS."""
        rows = await self._database.pool.fetch(_DUE, list(self._consumers), list(self._partitions), list(self._running))
        for row in rows:
            self._running[row["id"]] = asyncio.create_task(self._run(row))
            if not row["reason"]:
                self._new[row["id"]] = Event.load(row["event"]).occurred_at
        return len(rows)

    @property
    def at(self) -> datetime | None:
        """When the oldest event occurred that waits for its first attempt; None: none does. What has failed before, or
        waits for the end of an outage, is not counted: another process would do it no better."""
        return min(self._new.values(), default=None)

    async def finish(self) -> None:
        """Wait for what was begun."""
        await asyncio.gather(*self._running.values())

    async def stop(self) -> None:
        """End what was begun; it will be begun again."""
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _run(self, row: Any) -> None:
        consumer, id = self._consumers[row["consumer"]], row["id"]
        try:
            async with self._slots[consumer.name]:
                if await self._attempt(consumer, row):
                    self._forget(consumer.name, row["key"], id)
        except DATABASE_ERRORS as error:
            raise_if_cancelled()
            log.warning("parked event left as it is", consumer=consumer.name, error=type(error).__name__)
            await asyncio.sleep(_OUTAGE_S)
        finally:
            del self._running[id]
            self._new.pop(id, None)
            self.changed.set()

    def _forget(self, consumer: str, key: str, id: int) -> None:
        self._postponed.pop(id, None)
        ids = self._parked[consumer].get(key)
        if ids is not None:
            ids.discard(id)
            if not ids:
                del self._parked[consumer][key]

    async def _attempt(self, consumer: Consumer, row: Any) -> bool:
        """Whether the event is not parked any longer. Raises DATABASE_ERRORS when that cannot be written down."""
        event = Event.load(row["event"])
        start_trace(event.traceparent)
        try:
            async with self._database.unit_of_work() as uow:
                await consumer.handle(uow, [event])
                if await uow.fetchval(_DONE, row["id"]) is None:
                    raise _Gone
                await uow.commit()
        except _Gone:
            return True
        except (*OUTAGES, *consumer.outages) as error:
            raise_if_cancelled()
            await self._postpone(consumer, row, event, error)
            return False
        except Exception as error:  # noqa: BLE001 - whatever a handler raises is an attempt
            raise_if_cancelled()
            return await self._failed(consumer, row, event, error)
        PROCESSED.labels(self._brand, consumer.name, "done").inc()
        return True

    async def _postpone(self, consumer: Consumer, row: Any, event: Event, error: Exception) -> None:
        PROCESSED.labels(self._brand, consumer.name, "postponed").inc()
        log.warning("event postponed", consumer=consumer.name, event_type=event.type, error=type(error).__name__)
        self._postponed[row["id"]] = self._postponed.get(row["id"], 0) + 1
        pause = consumer.outage_pause(self._postponed[row["id"]], error)
        await self._database.pool.execute(_LATER, row["id"], row["attempts"], reason_of(error), pause)

    async def _failed(self, consumer: Consumer, row: Any, event: Event, error: Exception) -> bool:
        self._postponed.pop(row["id"], None)
        attempts = row["attempts"] + 1
        fields = {"consumer": consumer.name, "event_type": event.type, "attempts": attempts}
        if attempts < consumer.max_attempts:
            pause = consumer.pause(attempts)
            await self._database.pool.execute(_LATER, row["id"], attempts, reason_of(error), pause)
            PROCESSED.labels(self._brand, consumer.name, "retried").inc()
            log.warning("event failed, will retry", reason=type(error).__name__, **fields)
            return False
        await self._database.pool.execute(_GIVE_UP, row["id"], attempts, reason_of(error))
        PROCESSED.labels(self._brand, consumer.name, "dead").inc()
        log.error("event became a dead letter", reason=type(error).__name__, **fields)
        return True


def reason_of(error: Exception) -> str:
    """What is stored of an error, for a person who reads dead letters. Its first line: Postgres puts values of rows
    into the second one."""
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"[:500]
