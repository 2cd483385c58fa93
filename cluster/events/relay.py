"""The relay: moves what transactions wrote to the outbox on to the event log, in order, and never loses any of it.

One relay works at a time per brand: every statement runs on the connection that holds the advisory lock. It gives each
event its position and keeps it in table event_log, both in the statement that takes it out of the outbox; then it
appends it to the log, which knows the last position that it has. A log that has lost events (a Redis that crashed takes
up to a second of them, an empty one all) names an earlier position and gets what came after it again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cluster.cancellation import raise_if_cancelled
from cluster.events.event import Event
from cluster.events.log import PARTITIONS, EventLog, LogUnavailable, Partition, Record
from cluster.events.outbox import CHANNEL
from cluster.logs import logger
from cluster.metrics import Counter, Gauge
from cluster.postgres import Database
from cluster.redis import RedisError
from cluster.storage_errors import DATABASE_ERRORS
from cluster.trace import new_traceparent

if TYPE_CHECKING:
    from cluster.postgres import PooledConnection

RELAYED = Counter("entativa_outbox_relayed_total", "Events moved from the outbox to the event log", ["brand"])
REPEATED = Counter("entativa_outbox_repeated_total", "Events moved again because the log had lost them", ["brand"])
WAITING = Gauge(
    "entativa_outbox_waiting_seconds",
    "Age of the event relayed last",
    ["brand"],
    multiprocess_mode="livemostrecent",
)

LOCK = 7_203_101
_BATCH = 500
_PAUSE_S = 0.02
"""Between two batches. What is committed meanwhile shares the second one's round trips, here and in every consumer."""
_POLL_S = 2.0
"""Without a signal. Finds what a process left that died between its commit and the signal."""
_RETRY_S = 1.0

_COLUMNS = "topic, partition, event_id, type, version, key, payload, traceparent, occurred_at"

# A key's partition must never change, so it comes from md5, which is the same in every version of Postgres.
_TAKE = f"""
with taken as (
    delete from outbox where id in (select id from outbox order by id limit {_BATCH} for update) returning *
), head as (
    update event_log_head set position = position + (select count(*) from taken)
    where exists (select from taken) returning position
)
insert into event_log (position, {_COLUMNS})
select head.position - count(*) over () + row_number() over (order by id), split_part(type, '.', 1),
    ('x' || left(md5(key), 6))::bit(24)::int % {PARTITIONS},
    event_id, type, version, key, payload, traceparent, occurred_at
from taken, head
returning position, {_COLUMNS}
"""

_AFTER = f"select position, {_COLUMNS} from event_log where position > $1 order by position"

_HEAD = "select position from event_log_head"

_RAISE_HEAD = "update event_log_head set position = greatest(position, $1) returning position"

log = logger(__name__)


class Relay:
    """Works on a connection that holds the lock."""

    def __init__(self, connection: "PooledConnection", event_log: EventLog) -> None:
        self._connection = connection
        self._log = event_log
        self._position: int | None = None
        """The last position of the log, as far as this process knows."""

    async def move(self) -> int:
        """Move one batch; returns how many events. Raises LogUnavailable and DATABASE_ERRORS; what was taken by then is
        appended by the next `move`."""
        if self._position is None:
            await self.restore()
        rows = await self._connection.fetch(_TAKE)
        if not rows:
            return 0
        records = sorted(map(_record, rows), key=lambda record: record.position)
        before, self._position = self._position, None
        assert before is not None
        last = records[-1].position
        if await self._log.append(records, after=before, position=last) == last:
            self._position = last
        else:
            await self.restore()
        brand = self._log.brand
        RELAYED.labels(brand).inc(len(records))
        occurred_at = records[0].event.occurred_at
        WAITING.labels(brand).set(max(0.0, (datetime.now(occurred_at.tzinfo) - occurred_at).total_seconds()))
        return len(records)

    async def check(self) -> None:
        """Restore the log if it has lost events since the last batch."""
        if self._position is None or await self._log.position() != self._position:
            await self.restore()

    async def restore(self) -> None:
        """Append again what the log has lost."""
        reached: int = await self._log.position()
        head: int = await self._connection.fetchval(_HEAD)
        if reached > head:  # Postgres went back to a backup: positions must not be given out twice
            head = await self._connection.fetchval(_RAISE_HEAD, reached)
        batch: list[Record] = []
        async with self._connection.transaction(readonly=True):
            async for row in self._connection.cursor(_AFTER, reached, prefetch=_BATCH):
                batch.append(_record(row))
                if len(batch) == _BATCH:
                    reached = await self._repeat(batch, reached, batch[-1].position)
                    batch = []
        if reached < head:
            await self._repeat(batch, reached, head)
        self._position = head

    async def _repeat(self, records: list[Record], after: int, position: int) -> int:
        if await self._log.append(records, after=after, position=position) != position:
            raise LogUnavailable("another process appends to the log")
        if records:
            REPEATED.labels(self._log.brand).inc(len(records))
            log.warning("events appended again", brand=self._log.brand, count=len(records))
        return position


def _record(row: Any) -> Record:
    event = Event(
        row["event_id"],
        row["type"],
        row["key"],
        row["payload"],
        row["occurred_at"],
        row["traceparent"] or new_traceparent(),
        row["version"],
    )
    return Record(Partition(row["topic"], row["partition"]), row["position"], event)


Adopt = Callable[["PooledConnection"], Awaitable[None]]
"""What to do once the lock is held, before anything is moved."""


async def nothing_to_adopt(_: "PooledConnection") -> None:
    """There is nothing to adopt."""


async def run_relay(database: Database, event_log: EventLog, adopt: Adopt = nothing_to_adopt) -> None:
    """Relay until cancelled. Waits while another process holds the lock; survives outages of Postgres and the log."""
    while True:
        try:
            async with database.pool.acquire() as connection:
                while not await connection.fetchval("select pg_try_advisory_lock($1)", LOCK):  # noqa: ASYNC110
                    await asyncio.sleep(_POLL_S)
                try:
                    await _relay_under_lock(connection, event_log, adopt)
                finally:
                    await _unlock(connection)
        except (*DATABASE_ERRORS, LogUnavailable, RedisError) as error:
            raise_if_cancelled()
            log.warning("relay interrupted", error=type(error).__name__)
            await asyncio.sleep(_RETRY_S)


async def _relay_under_lock(connection: "PooledConnection", event_log: EventLog, adopt: Adopt) -> None:
    signal = asyncio.Event()

    def wake(*_: object) -> None:
        signal.set()

    await connection.add_listener(CHANNEL, wake)
    try:
        await adopt(connection)
        relay = Relay(connection, event_log)
        while True:
            signal.clear()
            moved = await relay.move()
            if moved:
                await asyncio.sleep(_PAUSE_S if moved < _BATCH else 0)
                continue
            try:
                async with asyncio.timeout(_POLL_S):
                    await signal.wait()
            except TimeoutError:
                await relay.check()
    finally:
        with suppress(*DATABASE_ERRORS):
            await connection.remove_listener(CHANNEL, wake)


async def relay_once(database: Database, event_log: EventLog) -> int:
    """Move everything that is in the outbox; returns how many events. Waits for the lock. Raises LogUnavailable."""
    total = 0
    async with database.pool.acquire() as connection:
        await connection.fetchval("select pg_advisory_lock($1)", LOCK)
        try:
            relay = Relay(connection, event_log)
            await relay.check()
            while moved := await relay.move():
                total += moved
        finally:
            await _unlock(connection)
    return total


async def _unlock(connection: "PooledConnection") -> None:
    """A connection that is gone holds no lock."""
    with suppress(*DATABASE_ERRORS):
        await connection.fetchval("select pg_advisory_unlock($1)", LOCK)
