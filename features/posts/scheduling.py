"""Publishes scheduled posts at their time.

Every process with consumers does this. A draft becomes a post in one transaction that deletes it, so it is published
once, whatever is killed; what a killed process had locked is free again, and the others look for it. Times are read
every `READ_S`, and a post is scheduled at least twice as long ahead (`PostPolicy.min_schedule_ahead`), so that every
process knows the next time before it comes.
"""

import asyncio
from datetime import datetime

from cluster.cancellation import raise_if_cancelled
from cluster.logs import logger
from cluster.metrics import Counter, Histogram
from cluster.postgres import Database
from cluster.storage_errors import DATABASE_ERRORS
from features.feature import Scope
from features.posts import draft_store
from features.posts.changes import publish_created

READ_S = 30.0
_AT_ONCE = 200
_BUSY_S = 0.1
"""How soon to look again for drafts that are due and that another process has locked."""
_OUTAGE_S = 1.0

PUBLISHED = Counter("entativa_scheduled_posts_total", "Scheduled posts published", ["brand"])
LATENESS = Histogram(
    "entativa_scheduled_post_lateness_seconds",
    "How long after the time of its oldest post a batch of scheduled posts was published",
    ["brand"],
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100),
)

log = logger(__name__)


async def publish_due(scope: Scope) -> int:
    """Publishes the drafts whose time has come. Returns how many; none that another process is publishing."""
    published = 0
    while count := await _publish_batch(scope):
        published += count
    return published


async def _publish_batch(scope: Scope) -> int:
    database: Database = scope.database
    async with database.unit_of_work() as uow:
        now = scope.now()
        rows = await draft_store.publish_due(uow, now, _AT_ONCE)
        for row in rows:
            await publish_created(uow, row, now)
        await uow.commit()
    PUBLISHED.labels(scope.brand).inc(len(rows))
    return len(rows)


async def next_due(scope: Scope) -> datetime | None:
    """Returns when the next post is to be published."""
    async with scope.database.unit_of_work(read_only=True) as uow:
        return await draft_store.next_due(uow)


async def run_schedule(scope: Scope) -> None:
    """Publishes scheduled posts until cancelled; survives outages of Postgres."""
    while True:
        try:
            pause, due = READ_S, await next_due(scope)
            if due is not None and (until := (due - scope.now()).total_seconds()) < READ_S:
                await asyncio.sleep(until)
                published = await publish_due(scope)
                if published:
                    LATENESS.labels(scope.brand).observe(max(0.0, (scope.now() - due).total_seconds()))
                pause = 0.0 if published else _BUSY_S
        except DATABASE_ERRORS as error:
            raise_if_cancelled()
            log.warning("publication of scheduled posts interrupted", error=type(error).__name__)
            pause = _OUTAGE_S
        await asyncio.sleep(pause)
