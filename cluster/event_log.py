"""The event log: what happened, in order, on a Redis stream per brand, read by consumer groups.

`Event` is what a unit of work publishes; `EventLog` is the stream. The transactional outbox (cluster/outbox.py) fills
the stream, `ConsumerRunner` (cluster/consumers.py) empties it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from redis.exceptions import ResponseError

from cluster.ids import new_id
from cluster.redis import Redis
from cluster.trace import current_traceparent

KEPT_EVENTS = 1_000_000
"""About how many events a stream keeps before Redis drops the oldest."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. `type` is ``feature.past_tense``; `key` is the entity it happened to."""

    id: UUID
    type: str
    key: str
    payload: dict[str, Any]
    occurred_at: datetime
    traceparent: str | None = field(default=None)

    @classmethod
    def now(cls, type: str, key: str | UUID, payload: dict[str, Any], *, now: datetime) -> "Event":
        """An event of the current trace. The payload holds JSON values only, and no secret."""
        return cls(new_id(now), type, str(key), payload, now, current_traceparent())

    def encode(self) -> bytes:
        return orjson.dumps(
            {
                "id": str(self.id),
                "type": self.type,
                "key": self.key,
                "payload": self.payload,
                "occurred_at": self.occurred_at,
                "traceparent": self.traceparent,
            }
        )

    @classmethod
    def decode(cls, raw: bytes) -> "Event":
        value = orjson.loads(raw)
        return cls(
            UUID(value["id"]),
            value["type"],
            value["key"],
            value["payload"],
            datetime.fromisoformat(value["occurred_at"]),
            value["traceparent"],
        )


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event as delivered to a group: its stream entry and how often it has been delivered."""

    entry_id: bytes
    event: Event
    attempt: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that a group gave up on, and why."""

    entry_id: bytes
    group: str
    reason: str
    event: Event


_EXTEND = f"""
if (redis.call('GET', KEYS[2]) or '0') ~= ARGV[1] then
  return 0
end
for n = 3, #ARGV do
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', {KEPT_EVENTS}, '*', 'event', ARGV[n])
end
redis.call('SET', KEYS[2], ARGV[2])
return 1
"""


class EventLog:
    """The stream of one brand."""

    def __init__(self, redis: Redis, brand: str) -> None:
        self._redis = redis
        self._extend = redis.register_script(_EXTEND)
        self._position = f"{brand}:events:position"
        self.brand = brand
        self.stream = f"{brand}:events"
        self.dead_letters = f"{brand}:events:dead"

    async def position(self) -> int:
        """The position that the last `extend` named, as far as Redis remembers; 0: none."""
        return int(await self._redis.get(self._position) or 0)

    async def extend(self, events: Sequence[Event], *, after: int, position: int) -> bool:
        """Add events in order and move on to `position`, both or neither, if the log still stands at `after`."""
        arguments: list[str | bytes] = [str(after), str(position), *(event.encode() for event in events)]
        return bool(await self._extend([self.stream, self._position], arguments))

    async def append(self, events: Sequence[Event]) -> None:
        """Add events in order, in one round trip."""
        pipeline = self._redis.pipeline(transaction=False)
        for event in events:
            pipeline.xadd(self.stream, {"event": event.encode()}, maxlen=KEPT_EVENTS, approximate=True)
        await pipeline.execute()

    async def create_group(self, group: str) -> None:
        """Make sure the group exists; a new group starts at the beginning of the stream."""
        try:
            await self._redis.xgroup_create(self.stream, group, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    async def read(self, group: str, reader: str, *, count: int, block_ms: int) -> list[Delivery]:
        """Events nobody in the group has seen yet; waits up to `block_ms` for the first."""
        answer: Any = await self._redis.xreadgroup(group, reader, {self.stream: ">"}, count=count, block=block_ms)
        if not answer:
            return []
        entries = answer[0][1]
        return [Delivery(entry_id, Event.decode(fields[b"event"]), 1) for entry_id, fields in entries]

    async def claim_stale(self, group: str, reader: str, *, idle_ms: int, count: int) -> list[Delivery]:
        """Events that some reader took and has not acknowledged for `idle_ms`: failed, or their reader died."""
        pending: Any = await self._redis.xpending_range(self.stream, group, "-", "+", count, idle=idle_ms)
        attempts = {entry["message_id"]: int(entry["times_delivered"]) for entry in pending}
        if not attempts:
            return []
        claimed: Any = await self._redis.xclaim(
            self.stream, group, reader, min_idle_time=idle_ms, message_ids=list(attempts)
        )
        return [
            Delivery(entry_id, Event.decode(fields[b"event"]), attempts[entry_id] + 1)
            for entry_id, fields in claimed
            if fields
        ]

    async def postpone(self, group: str, reader: str, deliveries: Sequence[Delivery]) -> None:
        """These will be delivered again, as the same attempt."""
        pipeline = self._redis.pipeline(transaction=False)
        for one in deliveries:
            pipeline.xclaim(self.stream, group, reader, 0, [one.entry_id], retrycount=one.attempt - 1, justid=True)
        await pipeline.execute()

    async def acknowledge(self, group: str, entry_ids: Sequence[bytes]) -> None:
        await self._redis.xack(self.stream, group, *entry_ids)

    async def bury(self, group: str, delivery: Delivery, reason: str) -> None:
        """Move an event that keeps failing to the dead letters, for a person to look at."""
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.xadd(
            self.dead_letters,
            {
                "event": delivery.event.encode(),
                "group": group,
                "reason": reason[:500],
                "attempts": delivery.attempt,
            },
        )
        pipeline.xack(self.stream, group, delivery.entry_id)
        await pipeline.execute()

    async def read_dead_letters(self, count: int = 1000) -> list[DeadLetter]:
        """The oldest dead letters."""
        entries: Any = await self._redis.xrange(self.dead_letters, count=count)
        return [
            DeadLetter(entry_id, fields[b"group"].decode(), fields[b"reason"].decode(), Event.decode(fields[b"event"]))
            for entry_id, fields in entries
        ]

    async def revive_dead_letters(self) -> int:
        """Append dead letters to the stream again; returns how many."""
        letters = await self.read_dead_letters()
        if letters:
            await self.append([letter.event for letter in letters])
            await self._redis.xdel(self.dead_letters, *[letter.entry_id for letter in letters])
        return len(letters)

    async def lag(self, group: str) -> int:
        """How many events the group has not finished: not yet delivered, or delivered and not acknowledged."""
        groups: Any = await self._redis.xinfo_groups(self.stream)
        for info in groups:
            if info["name"] == group.encode():
                return int(info["lag"] or 0) + int(info["pending"])
        return 0
