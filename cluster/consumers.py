"""Consumers: reactions to events, at least once, with retry, dead letters and a lag metric.

A consumer's database effects happen exactly once: the same transaction records the event as processed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from cluster.event_log import Delivery, Event, EventLog
from cluster.logs import logger
from cluster.metrics import Counter, Gauge
from cluster.postgres import Database, UnitOfWork
from cluster.redis import RedisError
from cluster.trace import start_trace

PROCESSED = Counter("entativa_consumer_events_total", "Events by outcome", ["brand", "consumer", "outcome"])
LAG = Gauge(
    "entativa_consumer_lag_events",
    "Events a consumer has not finished",
    ["brand", "consumer"],
    multiprocess_mode="livemostrecent",
)


class _NoDatabase(Exception):
    """No statement could be sent at all."""


_OUTAGES: tuple[type[Exception], ...] = (
    *(RedisConnectionError, RedisTimeoutError),
    *(asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError, _NoDatabase),
)
_OUTAGES_IN_A_ROW = 5
"""With so many events postponed one after the other, it is the platform that is ill, not the events: the rest waits."""

log = logger(__name__)

_CLAIM = """
insert into processed_events (consumer, event_id) values ($1, $2) on conflict do nothing returning event_id
"""


@dataclass(frozen=True, slots=True)
class Consumer:
    """`handle` runs once for each event of `types`, in a unit of work that commits after it.

    What it raises counts as an attempt, and the last attempt buries the event. Outages do not count: those of Redis and
    Postgres, and what the consumer names in `outages`. They postpone the event for as long as they last."""

    name: str
    types: frozenset[str]
    handle: Callable[[UnitOfWork, Event], Awaitable[None]]
    max_attempts: int = 8
    retry_after_s: float = 2.0
    outages: tuple[type[Exception], ...] = ()


class ConsumerRunner:
    """Runs one consumer in one process; several processes share the work of a group."""

    def __init__(self, consumer: Consumer, database: Database, event_log: EventLog, reader: str) -> None:
        self._consumer = consumer
        self._database = database
        self._event_log = event_log
        self._reader = reader
        self._outages = (*_OUTAGES, *consumer.outages)
        self._labels = (event_log.brand, consumer.name)

    async def run(self) -> None:
        """Consume until cancelled; survives outages of Postgres and Redis."""
        ready = False
        while True:
            try:
                if not ready:
                    await self._event_log.create_group(self._consumer.name)
                    ready = True
                await self.step(block_ms=500)
            except (RedisError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                ready = False
                log.warning("consumer interrupted", consumer=self._consumer.name, error=type(error).__name__)
                await asyncio.sleep(1)

    async def step(self, *, block_ms: int) -> int:
        """One look at the log; returns how many events were finished."""
        name = self._consumer.name
        idle_ms = int(self._consumer.retry_after_s * 1000)
        deliveries = await self._event_log.claim_stale(name, self._reader, idle_ms=idle_ms, count=100)
        deliveries += await self._event_log.read(name, self._reader, count=100, block_ms=block_ms)
        finished: list[bytes] = []
        postponed: list[Delivery] = []
        in_a_row = 0
        for delivery in deliveries:
            if in_a_row == _OUTAGES_IN_A_ROW:
                postponed.append(delivery)
                continue
            try:
                if await self._process(delivery):
                    finished.append(delivery.entry_id)
                in_a_row = 0
            except self._outages as error:
                PROCESSED.labels(*self._labels, "postponed").inc()
                log.warning(
                    "event postponed", consumer=name, event_type=delivery.event.type, error=type(error).__name__
                )
                postponed.append(delivery)
                in_a_row += 1
        if finished:
            await self._event_log.acknowledge(name, finished)
        if postponed:
            await self._event_log.postpone(name, self._reader, postponed)
        LAG.labels(*self._labels).set(await self._event_log.lag(name))
        return len(finished)

    async def _process(self, delivery: Delivery) -> bool:
        event = delivery.event
        if event.type not in self._consumer.types:
            return True
        start_trace(event.traceparent)
        try:
            async with self._database.unit_of_work() as uow:
                if await self._claim(uow, event) is None:
                    PROCESSED.labels(*self._labels, "repeated").inc()
                    return True
                await self._consumer.handle(uow, event)
                await uow.commit()
        except self._outages:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a handler raises, the event is retried and then buried
            return await self._failed(delivery, error)
        PROCESSED.labels(*self._labels, "done").inc()
        return True

    async def _claim(self, uow: UnitOfWork, event: Event) -> UUID | None:
        """None: the event was processed before. Raises _NoDatabase: a handler may fail like that by a defect, too, but
        this statement does not."""
        try:
            claimed: UUID | None = await uow.fetchval(_CLAIM, self._consumer.name, event.id)
        except (OSError, asyncpg.InterfaceError, asyncpg.InsufficientResourcesError) as error:
            raise _NoDatabase from error
        return claimed

    async def _failed(self, delivery: Delivery, error: Exception) -> bool:
        reason = f"{type(error).__name__}: {error}"
        fields = {"consumer": self._consumer.name, "event_type": delivery.event.type, "attempt": delivery.attempt}
        if delivery.attempt < self._consumer.max_attempts:
            PROCESSED.labels(*self._labels, "retried").inc()
            log.warning("event failed, will retry", reason=type(error).__name__, **fields)
            return False
        await self._event_log.bury(self._consumer.name, delivery, reason)
        PROCESSED.labels(*self._labels, "buried").inc()
        log.error("event buried", reason=type(error).__name__, **fields)
        return False


async def run_consumers(consumers: Sequence[Consumer], database: Database, event_log: EventLog, reader: str) -> None:
    """Run all consumers of a brand in this process until cancelled."""
    async with asyncio.TaskGroup() as group:
        for consumer in consumers:
            group.create_task(ConsumerRunner(consumer, database, event_log, reader).run())
