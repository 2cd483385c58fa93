"""Trims the event log, by age and by the slowest consumer, and raises the alarm before it fills its server.

The log keeps events for KEPT (less while its server is half full), so that a consumer can be sent back, and longer
while one has not finished them: nothing unread is ever trimmed. A consumer that stays behind therefore fills the log's
server, and Postgres, which keeps a copy of the same events. That is what the alarms are for.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cluster.events.log import EventLog, Partition, partitions_of
from cluster.events.metrics import FILL_SHARE, LAG, LAG_SECONDS
from cluster.logs import logger
from cluster.postgres import Database

KEPT = timedelta(days=1)
_KEPT_IN_NEED = timedelta(minutes=10)
_NEED_SHARE = 0.5
_COPY_KEPT = timedelta(minutes=10)
"""In Postgres, after every consumer has finished an event: longer than any log loses at its end."""
_FORGOTTEN = timedelta(days=7)
"""A consumer that no process has declared for this long keeps nothing from being trimmed."""
_ALARM_AGE = timedelta(hours=1)
_ALARM_SHARE = 0.75
_BATCH = 5_000

_SLOWEST = """
select topic, partition, min(position) as position from event_offsets join event_consumers using (consumer)
where active_at > $1 group by topic, partition
"""

_TRIM_COPY = f"""
delete from event_log where ctid = any(array(
    select ctid from event_log
    where topic = $1 and partition = $2 and position <= $3 and appended_at < $4 order by position limit {_BATCH}
))
"""

_LAG = """
select consumer, sum(events)::bigint as events, min(since) as since from (
    select stored.consumer, count(*) as events, min(event_log.occurred_at) as since
    from event_offsets as stored join event_log using (topic, partition)
    where event_log.position > stored.position
    group by stored.consumer
    union all
    select consumer, count(*), min((event ->> 'occurred_at')::timestamptz) from event_retries group by consumer
) as unfinished group by consumer
"""

_ACTIVE = "update event_consumers set active_at = now() where consumer = any($1)"

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Lag:
    """How many events a consumer has not finished, and when the oldest of them occurred."""

    events: int
    since: datetime


async def lags(database: Database) -> dict[str, Lag]:
    """Of every consumer that has not finished everything, events of types that it does not want included."""
    rows = await database.pool.fetch(_LAG)
    return {row["consumer"]: Lag(row["events"], row["since"]) for row in rows}


async def trim(database: Database, event_log: EventLog, now: datetime, *, kept: timedelta = KEPT) -> None:
    """Forget what is old enough and finished. Raises DATABASE_ERRORS, LogUnavailable."""
    rows = await database.pool.fetch(_SLOWEST, now - _FORGOTTEN)
    slowest = {Partition(row["topic"], row["partition"]): row["position"] for row in rows}
    reached = await event_log.position()
    if await event_log.fill_share() > _NEED_SHARE:
        kept = min(kept, _KEPT_IN_NEED)
    ends: dict[Partition, int] = {}
    for partition in partitions_of(await event_log.topics()):
        finished = slowest.get(partition, reached)
        old = await event_log.position_at(partition, now - kept)
        ends[partition] = min(finished, old) + 1
        while await _trim_copy(database, partition, min(finished, reached), now - _COPY_KEPT) == _BATCH:
            pass
    if ends:
        await event_log.trim(ends)


async def _trim_copy(database: Database, partition: Partition, position: int, before: datetime) -> int:
    tag = await database.pool.execute(_TRIM_COPY, *partition, position, before)
    return int(tag.removeprefix("DELETE "))


async def watch(database: Database, event_log: EventLog, consumers: list[str], now: datetime) -> list[str]:
    """Set the metrics of lag and space, say that these consumers exist, and log an error for each alarm. Returns the
    alarms. Raises DATABASE_ERRORS, LogUnavailable."""
    brand, alarms = event_log.brand, []
    await database.pool.execute(_ACTIVE, consumers)
    found = await lags(database)
    for consumer in {*consumers, *found}:
        lag = found.get(consumer)
        age = max(0.0, (now - lag.since).total_seconds()) if lag else 0.0
        LAG.labels(brand, consumer).set(lag.events if lag else 0)
        LAG_SECONDS.labels(brand, consumer).set(age)
        if lag and age > _ALARM_AGE.total_seconds():
            alarms.append("consumer_behind")
            log.error("a consumer is behind, and its events fill the log", consumer=consumer, events=lag.events)
    share = await event_log.fill_share()
    FILL_SHARE.labels(brand).set(share)
    if share > _ALARM_SHARE:
        alarms.append("log_fills_up")
        log.error("the event log's server fills up", share=round(share, 2))
    return alarms
