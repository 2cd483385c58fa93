"""Trims the event log, by age and by the slowest consumer, and raises the alarm before it fills its server.

The log keeps events for KEPT (less while its server is half full), so that a consumer can be sent back, and longer
while one has not finished them: nothing unread is ever trimmed. A consumer that stays behind therefore fills the log's
server, and Postgres, which keeps a copy of the same events. That is what the alarms are for.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cluster.alarms import Alarm
from cluster.events.log import EventLog, Partition, partitions_of
from cluster.events.metrics import DATABASES, EVENT_TABLES, FILL_SHARE, LAG, LAG_SECONDS
from cluster.events.space import measure, space_alarms
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


async def watch(
    database: Database, event_log: EventLog, consumers: list[str], now: datetime, *, disk_bytes: int = 0
) -> set[Alarm]:
    """Set the metrics of lag and space, say that these consumers exist, and log an error for each alarm. `disk_bytes`
    is the size of Postgres' disk, 0 if it is not known. Returns the alarms. Raises DATABASE_ERRORS, LogUnavailable."""
    brand, alarms = event_log.brand, set[Alarm]()
    await database.pool.execute(_ACTIVE, consumers)
    found = await lags(database)
    oldest = timedelta()
    for consumer in {*consumers, *found}:
        lag = found.get(consumer)
        age = max(timedelta(), now - lag.since) if lag else timedelta()
        oldest = max(oldest, age)
        LAG.labels(brand, consumer).set(lag.events if lag else 0)
        LAG_SECONDS.labels(brand, consumer).set(age.total_seconds())
        if lag and age > _ALARM_AGE:
            alarms.add(Alarm.CONSUMER_BEHIND)
            log.error("a consumer is behind, and its events fill the log", consumer=consumer, events=lag.events)
    alarms |= await _watch_space(database, brand, now, oldest, disk_bytes)
    share = await event_log.fill_share()
    FILL_SHARE.labels(brand).set(share)
    if share > _ALARM_SHARE:
        alarms.add(Alarm.LOG_FILLS_UP)
        log.error("the event log's server fills up", share=round(share, 2))
    return alarms


async def _watch_space(database: Database, brand: str, now: datetime, oldest: timedelta, disk_bytes: int) -> set[Alarm]:
    space = await measure(database)
    DATABASES.labels(brand).set(space.databases)
    for table, size in space.tables.items():
        EVENT_TABLES.labels(brand, table).set(size)
    if space.waiting_since is not None:
        oldest = max(oldest, now - space.waiting_since)
    alarms = set(space_alarms(space, disk_bytes, oldest))
    if alarms:
        events = sum(space.tables.values())
        log.error("Postgres' disk fills up", alarms=sorted(alarms), databases=space.databases, events=events)
    return alarms
