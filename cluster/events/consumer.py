"""What a consumer is: a name, the events it wants, and what it does with them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from cluster.events.event import Event
from cluster.postgres import UnitOfWork
from cluster.trace import start_trace

Handle = Callable[[UnitOfWork, Sequence[Event]], Awaitable[None]]


class Unavailable(Exception):
    """An outage, for `Consumer.outages`, of something that may say how long not to ask it again."""

    def __init__(self, reason: str, wait: timedelta = timedelta(0)) -> None:
        super().__init__(reason)
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Consumer:
    """`handle` gets events of `types` in batches, in a unit of work that also moves the consumer's offsets and commits
    after it: effects in Postgres happen once, effects elsewhere at least once. `each` makes a handler of one for events
    that are handled one by one.

    When a batch fails, its events are handled one at a time. One that fails alone is parked and retried, with pauses
    from `retry_after` that double up to `retry_at_most`; its key waits, others do not. After `max_attempts` it becomes
    a dead letter. Outages do not count as attempts: those of Redis and Postgres, and what the consumer names in
    `outages`. When nothing but outages is seen, the consumer waits where it is. A parked event is tried again every
    `retry_after` during an outage, or with pauses that double up to `outage_at_most` where each attempt costs much.

    A consumer that is new to a running platform begins with events that are new then (`start`), or with the oldest that
    the log has.

    `outside` is for slow work outside Postgres (a mail server): each event is parked at once and handled on its own, up
    to `concurrency` keys at a time, so that no slow one holds up another or keeps a transaction open. The handler may
    commit in the middle; an event may be handled again after a crash."""

    name: str
    types: frozenset[str]
    handle: Handle
    start: Literal["new", "oldest"] = "new"
    max_attempts: int = 8
    retry_after: timedelta = timedelta(seconds=2)
    retry_at_most: timedelta = timedelta(minutes=5)
    outages: tuple[type[Exception], ...] = ()
    outage_at_most: timedelta = timedelta(0)
    outside: bool = False
    concurrency: int = 8
    topics: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "topics", frozenset(type.partition(".")[0] for type in self.types))

    def pause(self, attempts: int) -> timedelta:
        """How long to wait after this many failed attempts."""
        return self._doubled(attempts, self.retry_at_most)

    def outage_pause(self, postponed: int, error: Exception) -> timedelta:
        """How long to wait when an event was postponed so many times in a row, the last time for this outage."""
        pause = self._doubled(postponed, self.outage_at_most)
        return max(pause, error.wait) if isinstance(error, Unavailable) else pause

    def _doubled(self, times: int, at_most: timedelta) -> timedelta:
        doubled: timedelta = self.retry_after * 2 ** min(max(0, times - 1), 20)
        return min(doubled, max(at_most, self.retry_after))


def each(handle_one: Callable[[UnitOfWork, Event], Awaitable[None]], *, concurrency: int = 8) -> Handle:
    """A handler of batches that hands over one event at a time, in order for each key, up to `concurrency` keys at
    once. The events' statements share the batch's transaction and take turns; what else they wait for goes on side by
    side. Work runs under the trace of its event."""

    async def handle(uow: UnitOfWork, events: Sequence[Event]) -> None:
        if len(events) == 1:
            start_trace(events[0].traceparent)
            await handle_one(uow, events[0])
            return
        by_key: dict[str, list[Event]] = {}
        for event in events:
            by_key.setdefault(event.key, []).append(event)
        waiting = iter(by_key.values())

        async def work() -> None:
            for chain in waiting:
                for event in chain:
                    start_trace(event.traceparent)
                    await handle_one(uow, event)

        # No TaskGroup: before Python 3.13 it leaves a cancellation behind in the task whose children failed.
        tasks = [asyncio.create_task(work()) for _ in range(min(concurrency, len(by_key)))]
        try:
            await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise

    return handle
