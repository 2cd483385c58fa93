"""Dead letters: events that a consumer gave up on, in Postgres, until somebody requeues or deletes them."""

from dataclasses import dataclass
from datetime import datetime

from cluster.events.event import Event
from cluster.postgres import Database

_LIST = """
select id, consumer, reason, attempts, died_at, event from event_dead_letters
where $1::text is null or consumer = $1 order by id limit $2
"""

_REQUEUE = """
with requeued as (delete from event_dead_letters where $1::text is null or consumer = $1 returning *)
insert into event_retries (consumer, partition, key, event)
select consumer, partition, key, event from requeued order by id
"""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that a consumer gave up on, after how many attempts, and the last error."""

    id: int
    consumer: str
    reason: str
    attempts: int
    died_at: datetime
    event: Event


async def dead_letters(database: Database, consumer: str | None = None, *, limit: int = 1000) -> list[DeadLetter]:
    """The oldest ones, of one consumer or of all."""
    rows = await database.pool.fetch(_LIST, consumer, limit)
    return [
        DeadLetter(row["id"], row["consumer"], row["reason"], row["attempts"], row["died_at"], Event.load(row["event"]))
        for row in rows
    ]


async def requeue(database: Database, consumer: str | None = None) -> int:
    """Let each consumer handle its dead letters again; returns how many. It begins within ten seconds."""
    tag = await database.pool.execute(_REQUEUE, consumer)
    return int(tag.rpartition(" ")[2])
