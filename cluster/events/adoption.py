"""Takes over what the log of former versions still holds, so that a rolling update loses nothing. To be removed
together with the tables relayed_events and processed_events.

Replicas of the version before move events to `relayed_events` and to a Redis stream of their own, and record in
`processed_events` what each consumer has done. Whoever relays now claims there, for each consumer, what nobody has done
yet, and parks it as that consumer's first events. An old consumer that meets such an event later finds it claimed.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cluster.events.consumer import Consumer
from cluster.events.event import Event
from cluster.events.log import PARTITIONS
from cluster.logs import logger
from cluster.redis import Redis

if TYPE_CHECKING:
    from cluster.postgres import PooledConnection

_AT_ONCE = 1_000
_STREAM_KEPT_S = 24 * 3600
_BEFORE_ALL = -(2**40)
"""Positions of events that the stream has and `relayed_events` has no longer."""

_PARTITION = f"('x' || left(md5(key), 6))::bit(24)::int % {PARTITIONS}"

_ADD = """
insert into relayed_events (position, event_id, type, key, payload, occurred_at, traceparent) overriding system value
select $1 + number, event_id, type, key, payload, occurred_at, traceparent
from unnest($2::uuid[], $3::text[], $4::text[], $5::jsonb[], $6::timestamptz[], $7::text[]) with ordinality
    as old(event_id, type, key, payload, occurred_at, traceparent, number)
where not exists (select from relayed_events where relayed_events.event_id = old.event_id)
"""

_CLAIM = f"""
with claimed as (
    insert into processed_events (consumer, event_id)
    select $1, event_id from relayed_events where type = any($2)
    on conflict do nothing returning event_id
)
insert into event_retries (consumer, partition, key, event)
select $1, {_PARTITION}, key,
    jsonb_build_object('id', event_id, 'type', type, 'version', 1, 'key', key, 'payload', payload,
        'occurred_at', occurred_at, 'traceparent', traceparent)
from relayed_events join claimed using (event_id) order by position
"""

_ADD_DEAD_LETTER = f"""
insert into event_dead_letters (consumer, partition, key, event, attempts, reason)
select $1, {_PARTITION}, key, $3, $4, $5 from (select $2::text as key) as keys
where not exists (select from event_dead_letters where consumer = $1 and event ->> 'id' = $3::jsonb ->> 'id')
"""

log = logger(__name__)


async def adopt_old_log(
    connection: "PooledConnection", redis: Redis, brand: str, consumers: Sequence[Consumer]
) -> None:
    """Park what is left for each consumer. Nothing is left after the first time, unless an old relay worked meanwhile.
    Raises DATABASE_ERRORS, RedisError."""
    stream = f"{brand}:events"
    unread = await _unread(redis, stream, {consumer.name for consumer in consumers})
    await _adopt_dead_letters(connection, redis, f"{stream}:dead")
    if not unread and not await connection.fetchval("select exists (select from relayed_events)"):
        return
    async with connection.transaction():
        # An old relay that does not know yet that it lost its lock waits until this has been committed.
        await connection.execute("lock table relayed_events in exclusive mode")
        for begin in range(0, len(unread), _AT_ONCE):
            await connection.execute(_ADD, _BEFORE_ALL + begin, *_columns(unread[begin : begin + _AT_ONCE]))
        tags = {one.name: await connection.execute(_CLAIM, one.name, list(one.types)) for one in consumers}
        await connection.execute("delete from relayed_events")
    await redis.expire(stream, _STREAM_KEPT_S)
    parked = {name: int(tag.rpartition(" ")[2]) for name, tag in tags.items()}
    log.info("events of the old log adopted", parked={name: count for name, count in parked.items() if count})


async def _unread(redis: Redis, stream: str, groups: set[str]) -> list[Event]:
    """Everything from the first event on that one of the groups has not acknowledged."""
    if not await redis.exists(stream):
        return []
    begins = []
    infos: Any = await redis.xinfo_groups(stream)
    for info in infos:
        if info["name"].decode() in groups:
            pending: Any = await redis.xpending(stream, info["name"])
            begins.append(_entry_id(pending["min"] or info["last-delivered-id"]))
    begin = f"{min(begins)[0]}-{min(begins)[1]}" if begins else None
    events: list[Event] = []
    while begin is not None:
        entries: Any = await redis.xrange(stream, begin, "+", count=_AT_ONCE)
        events += [Event.decode(fields[b"event"]) for _, fields in entries]
        begin = f"({entries[-1][0].decode()}" if len(entries) == _AT_ONCE else None
    return events


def _entry_id(raw: bytes) -> tuple[int, int]:
    milliseconds, _, number = raw.decode().partition("-")
    return int(milliseconds), int(number)


def _columns(events: Sequence[Event]) -> list[list[Any]]:
    return [
        [event.id for event in events],
        [event.type for event in events],
        [event.key for event in events],
        [event.payload for event in events],
        [event.occurred_at for event in events],
        [event.traceparent for event in events],
    ]


async def _adopt_dead_letters(connection: "PooledConnection", redis: Redis, stream: str) -> None:
    entries: Any = await redis.xrange(stream)
    for entry_id, fields in entries:
        event = Event.decode(fields[b"event"])
        reason, attempts = fields[b"reason"].decode(), int(fields[b"attempts"])
        await connection.execute(
            _ADD_DEAD_LETTER, fields[b"group"].decode(), event.key, event.encode().decode(), attempts, reason
        )
        await redis.xdel(stream, entry_id)
