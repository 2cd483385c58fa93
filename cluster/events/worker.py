"""All consumers of a brand in one process: leases, one blocking reader, a runner per consumer, retries, the relay."""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import UTC, datetime
from secrets import token_hex
from time import monotonic

from cluster.alarms import Alarm
from cluster.cancellation import raise_if_cancelled
from cluster.events import offsets
from cluster.events.consumer import Consumer
from cluster.events.leases import BEAT_S, Leases
from cluster.events.load import Load
from cluster.events.log import PARTITIONS, WAIT_S, EventLog, LogUnavailable, Partition
from cluster.events.offsets import OffsetMoved
from cluster.events.relay import Adopt, nothing_to_adopt, relay_once, run_relay
from cluster.events.retries import Retries
from cluster.events.runner import Runner
from cluster.events.tail import Tail
from cluster.events.trimming import trim, watch
from cluster.logs import logger
from cluster.postgres import Database
from cluster.redis import RedisError
from cluster.storage_errors import DATABASE_ERRORS

_OUTAGE_S = 1.0
_WATCH_S = 60.0
_TRIM_EVERY = 10
"""Watches for one trim."""
_RETRY_POLL_S = 0.5
"""While events are parked."""
_IDLE_RETRY_POLL_S = 10.0
"""While none are, as far as this process knows: finds dead letters that somebody requeued."""

log = logger(__name__)


Report = Callable[[Collection[Alarm]], Awaitable[None]]


async def _no_report(_: Collection[Alarm]) -> None:
    """Alarms are in the logs all the same."""


class Worker:
    """Consumers in this process. Several processes share the partitions."""

    def __init__(
        self,
        consumers: Sequence[Consumer],
        database: Database,
        event_log: EventLog,
        *,
        batch: int = 200,
        disk_bytes: int = 0,
        report: Report = _no_report,
    ) -> None:
        """`disk_bytes` is the size of Postgres' disk, 0 if it is not known; `report` gets the alarms every minute from
        the process that watches."""
        self._consumers = consumers
        self._disk_bytes = disk_bytes
        self._report = report
        self._database = database
        self._log = event_log
        self._tail = Tail(event_log)
        self._retries = Retries(consumers, database, event_log.brand)
        self._runners = [
            Runner(consumer, database, self._tail, self._retries, brand=event_log.brand, batch=batch)
            for consumer in consumers
        ]
        self._assigned = asyncio.Event()
        self._held: frozenset[int] = frozenset()

    async def run(self) -> None:
        """Consume until cancelled; survives outages of Postgres and the log."""
        leases = Leases(self._database, f"{os.uname().nodename}-{os.getpid()}-{token_hex(4)}")
        await self.declare()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._hold(leases))
                group.create_task(self._read())
                group.create_task(self._retry())
                group.create_task(self._maintain())
                for runner in self._runners:
                    group.create_task(runner.run())
        finally:
            await self._retries.stop()
            await self._store_offsets()
            await _quietly(leases)

    async def run_with_relay(self, adopt: Adopt = nothing_to_adopt) -> None:
        """Relay and consume until cancelled. Consumers are declared before the relay moves anything, so that a new one
        misses nothing of it."""
        await self.declare()
        async with asyncio.TaskGroup() as group:
            group.create_task(run_relay(self._database, self._log, adopt))
            group.create_task(self.run())

    def load(self, now: datetime) -> Load:
        """How loaded the consumers were since this was asked before."""
        at = [at for at in (self._retries.at, *(runner.at for runner in self._runners)) if at is not None]
        lag_s = max(0.0, (now - min(at)).total_seconds()) if at else 0.0
        return Load(lag_s, max(runner.busy.share(monotonic()) for runner in self._runners))

    async def declare(self) -> None:
        """Give new consumers their first offsets, once Postgres answers."""
        while True:
            try:
                return await offsets.declare(self._database, self._consumers)
            except DATABASE_ERRORS as error:
                raise_if_cancelled()
                log.warning("consumers not declared yet", error=type(error).__name__)
                await asyncio.sleep(_OUTAGE_S)

    async def _hold(self, leases: Leases) -> None:
        while True:
            try:
                held = await leases.beat()
                if held != self._held or leases.claimed:
                    await self._store_offsets()
                    await self.assign(held)
                    self._held = held
            except DATABASE_ERRORS as error:
                raise_if_cancelled()
                log.warning("leases not renewed", error=type(error).__name__)
            await asyncio.sleep(BEAT_S)

    async def _store_offsets(self) -> None:
        """How far consumers have come, so that nobody handles it again. Without Postgres somebody will."""
        try:
            await self._flush()
        except DATABASE_ERRORS as error:
            raise_if_cancelled()
            log.warning("offsets not stored", error=type(error).__name__)

    async def assign(self, numbers: frozenset[int]) -> dict[str, dict[Partition, int]]:
        """Read these partitions from now on. Returns the stored offsets, by consumer. Raises DATABASE_ERRORS."""
        stored = await offsets.load(self._database, [consumer.name for consumer in self._consumers], numbers)
        positions: dict[Partition, int] = {}
        for consumer in stored.values():
            for partition, position in consumer.items():
                positions[partition] = max(positions.get(partition, 0), position)
        self._retries.assign(numbers)
        for runner in self._runners:
            runner.assign(numbers)
        self._tail.follow(positions)
        self._assigned.set()
        return stored

    async def _read(self) -> None:
        """The one blocking read; begun anew when other partitions are to be read."""
        while True:
            self._assigned.clear()
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(self._read_until_cancelled())
                await self._assigned.wait()
                reading.cancel()

    async def _read_until_cancelled(self) -> None:
        while self._tail.followed:
            try:
                await self._tail.read(wait_s=WAIT_S)
            except LogUnavailable as error:
                raise_if_cancelled()
                log.warning("event log not read", error=str(error))
                await asyncio.sleep(_OUTAGE_S)

    async def _retry(self) -> None:
        while True:
            self._retries.changed.clear()
            try:
                begun = await self._retries.start_due()
            except DATABASE_ERRORS as error:
                raise_if_cancelled()
                log.warning("parked events not read", error=type(error).__name__)
                begun = 0
                await asyncio.sleep(_OUTAGE_S)
            if begun:
                continue
            try:
                async with asyncio.timeout(_IDLE_RETRY_POLL_S if self._retries.empty else _RETRY_POLL_S):
                    await self._retries.changed.wait()
            except TimeoutError:
                continue

    async def _maintain(self) -> None:
        """One process, the holder of the first partition, watches over the log and trims it."""
        names, minutes = [consumer.name for consumer in self._consumers], 0
        while True:
            await asyncio.sleep(_WATCH_S)
            if 0 not in self._held:
                continue
            now = datetime.now(UTC)
            try:
                await self._report(await watch(self._database, self._log, names, now, disk_bytes=self._disk_bytes))
                if minutes % _TRIM_EVERY == 0:
                    await trim(self._database, self._log, now)
                minutes += 1
            except (*DATABASE_ERRORS, LogUnavailable, RedisError) as error:
                raise_if_cancelled()
                log.warning("event log not watched", error=type(error).__name__)

    async def drain(self, *, relay: bool = False) -> int:
        """Handle, without leases, everything that is in the log now, with `relay` also what was published and is not in
        it yet, and every parked event that is due; returns how many events were passed. For tests and commands. Raises
        Outage, LogUnavailable, DATABASE_ERRORS."""
        await offsets.declare(self._database, self._consumers)
        stored = await self.assign(frozenset(range(PARTITIONS)))
        await self._retries.load(*stored)
        for runner in self._runners:
            runner.begin(stored[runner.consumer.name])
        total = 0
        while True:
            passed = await relay_once(self._database, self._log) if relay else 0
            passed += await self._tail.read()
            for runner in self._runners:
                while count := await runner.step():
                    passed += count
            while await self._retries.start_due():
                await self._retries.finish()
                passed += 1
            if not passed:
                await self._flush()
                return total
            total += passed

    async def _flush(self) -> None:
        moves = {runner.consumer.name: moves for runner in self._runners if (moves := runner.unwritten)}
        if not moves:
            return
        with contextlib.suppress(OffsetMoved):  # they are handled, or sent back, elsewhere
            async with self._database.unit_of_work() as uow:
                await offsets.advance(uow, moves)
                await uow.commit()


async def _quietly(leases: Leases) -> None:
    try:
        await leases.leave()
    except DATABASE_ERRORS as error:
        log.info("leases left to end", error=type(error).__name__)


async def drain_events(consumers: Sequence[Consumer], database: Database, event_log: EventLog) -> int:
    """Relay and handle everything that was published by now; returns how many events were passed. For tests."""
    return await Worker(consumers, database, event_log).drain(relay=True)
