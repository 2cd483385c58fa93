"""What events take of Postgres' disk, and the alarms before it is full.

Events that a consumer has not finished are never deleted, nor are those that wait in the outbox while Redis is down or
full, so both fill the disk of Postgres.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cluster.alarms import Alarm
from cluster.postgres import Database

TABLES = ("outbox", "event_log", "event_retries", "event_dead_letters")
_DATABASES_SHARE = 0.75
_EVENTS_SHARE = 0.1
_EVENTS_BYTES = 2 * 2**30
"""Where the size of the disk is not known."""
_BEHIND = timedelta(minutes=5)
"""Tables keep their size after a backlog, for the next one: without a backlog it is no alarm."""

_TABLES = """
select name, pg_total_relation_size(to_regclass(name)) as bytes from unnest($1::text[]) as name
"""

_DATABASES = """
select sum(pg_database_size(oid))::bigint from pg_database where has_database_privilege(oid, 'connect')
"""

_WAITING = "select min(occurred_at) from outbox"


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes on the disk of Postgres: of each table of events, and of all databases of the server; and when the oldest
    event occurred that waits in the outbox."""

    tables: dict[str, int]
    databases: int
    waiting_since: datetime | None


async def measure(database: Database) -> Space:
    """Returns what is taken. Raises DATABASE_ERRORS."""
    rows = await database.pool.fetch(_TABLES, list(TABLES))
    databases, waiting_since = await database.pool.fetchval(_DATABASES), await database.pool.fetchval(_WAITING)
    return Space({row["name"]: row["bytes"] for row in rows}, databases, waiting_since)


def space_alarms(space: Space, disk_bytes: int, oldest: timedelta) -> list[Alarm]:
    """Returns the alarms for a disk of this size (0: not known) when the oldest unfinished event is so old."""
    alarms = []
    if disk_bytes and space.databases > _DATABASES_SHARE * disk_bytes:
        alarms.append(Alarm.DATABASE_FILLS_UP)
    limit = _EVENTS_SHARE * disk_bytes if disk_bytes else _EVENTS_BYTES
    if oldest > _BEHIND and sum(space.tables.values()) > limit:
        alarms.append(Alarm.EVENTS_PILE_UP)
    return alarms
