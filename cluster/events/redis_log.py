"""The event log on Redis: a stream per partition, whose entry ids are our positions (``position-0``).

All keys of a brand share one hash tag, so that a Redis Cluster keeps them on one node and one blocking call reads them.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cluster.events.event import Event
from cluster.events.log import WAIT_S, Fetched, LogUnavailable, Partition, Record
from cluster.redis import Redis, RedisError, open_redis

if TYPE_CHECKING:
    from collections.abc import Iterator

_APPEND = """
local last = redis.call('GET', KEYS[1]) or '0'
if last ~= ARGV[1] then
  return last
end
for n = 3, #ARGV, 3 do
  local added = redis.pcall('XADD', KEYS[tonumber(ARGV[n])], ARGV[n + 1], 'event', ARGV[n + 2])
  -- The entry is there although the last position was lost.
  if type(added) == 'table' and added.err and not string.find(added.err, 'equal or smaller') then
    return added
  end
end
redis.call('SET', KEYS[1], ARGV[2])
return ARGV[2]
"""


class RedisEventLog:
    """The log of one brand. `blocking` is a client whose timeout is longer than WAIT_S; without one, `read` must not
    wait longer than the timeout of `redis`."""

    def __init__(self, redis: Redis, brand: str, blocking: Redis | None = None) -> None:
        self._redis = redis
        self._blocking = redis if blocking is None else blocking
        self._append = redis.register_script(_APPEND)
        self._prefix = f"{brand}:{{{brand}-events}}:"
        self._position = f"{self._prefix}position"
        self._topics = f"{self._prefix}topics"
        self._known_topics: set[str] = set()
        self.brand = brand

    def stream(self, partition: Partition) -> str:
        """The key of a partition's stream."""
        return f"{self._prefix}{partition.topic}:{partition.number}"

    async def position(self) -> int:
        with _unavailable():
            return int(await self._redis.get(self._position) or 0)

    async def append(self, records: Sequence[Record], *, after: int, position: int) -> int:
        keys = {partition: number for number, partition in enumerate({record.partition: None for record in records}, 2)}
        arguments: list[str | bytes | int] = [after, position]
        for record in records:
            arguments += (keys[record.partition], f"{record.position}-0", record.event.encode())
        with _unavailable():
            topics = {partition.topic for partition in keys}
            if after == 0:  # perhaps Redis lost everything
                self._known_topics.clear()
            if topics - self._known_topics:
                await self._redis.sadd(self._topics, *topics)
                self._known_topics |= topics
            return int(await self._append([self._position, *map(self.stream, keys)], arguments))

    async def read(self, positions: Mapping[Partition, int], *, count: int) -> Fetched:
        by_key, streams = self._streams(positions)
        with _unavailable():
            # One transaction: a Redis that loses its data in between must not look like one that has no more records.
            pipeline = self._redis.pipeline(transaction=True)
            pipeline.get(self._position)
            pipeline.xread(streams, count=count)
            last, answer = await pipeline.execute()
        return Fetched(_by_partition(answer, by_key), int(last or 0))

    async def wait(
        self, positions: Mapping[Partition, int], *, count: int, wait_s: float
    ) -> dict[Partition, list[Record]]:
        by_key, streams = self._streams(positions)
        with _unavailable():
            answer: Any = await self._blocking.xread(streams, count=count, block=max(1, int(wait_s * 1000)))
        return _by_partition(answer, by_key)

    def _streams(self, positions: Mapping[Partition, int]) -> tuple[dict[bytes, Partition], dict[Any, Any]]:
        by_key = {self.stream(partition).encode(): partition for partition in positions}
        return by_key, {key: f"{positions[partition]}-0" for key, partition in by_key.items()}

    async def position_at(self, partition: Partition, at: datetime) -> int:
        """A search by halves: positions ascend with time, but for the milliseconds between publishing and commit."""
        with _unavailable():
            first, last = await self._edge(partition, "xrange"), await self._edge(partition, "xrevrange")
            if first is None or last is None or first.event.occurred_at >= at:
                return 0
            low, high = first.position, last.position
            while low < high:
                middle = (low + high + 1) // 2
                entries: Any = await self._redis.xrange(self.stream(partition), f"{middle}-0", f"{high}-0", count=1)
                found = _records(partition, entries)
                if found and found[0].event.occurred_at < at:
                    low = found[0].position
                else:
                    high = middle - 1
            return low

    async def _edge(self, partition: Partition, command: str) -> Record | None:
        entries: Any = await getattr(self._redis, command)(self.stream(partition), count=1)
        return next(iter(_records(partition, entries)), None)

    async def topics(self) -> set[str]:
        with _unavailable():
            members: Any = await self._redis.smembers(self._topics)
        return {member.decode() for member in members}

    async def trim(self, positions: Mapping[Partition, int]) -> None:
        with _unavailable():
            pipeline = self._redis.pipeline(transaction=False)
            for partition, position in positions.items():
                pipeline.xtrim(self.stream(partition), minid=f"{position}-0", approximate=True)
            await pipeline.execute()

    async def fill_share(self) -> float:
        with _unavailable():
            memory: Any = await self._redis.info("memory")
        limit = int(memory["maxmemory"]) or int(memory.get("total_system_memory", 0))
        return int(memory["used_memory"]) / limit if limit else 0.0

    async def close(self) -> None:
        if self._blocking is not self._redis:
            await self._blocking.aclose()


@asynccontextmanager
async def open_redis_log(redis: Redis, url: str, brand: str) -> AsyncIterator[RedisEventLog]:
    """The log with a client of its own for blocking reads."""
    log = RedisEventLog(redis, brand, open_redis(url, timeout_s=WAIT_S + 3))
    try:
        yield log
    finally:
        await log.close()


@contextmanager
def _unavailable() -> "Iterator[None]":
    try:
        yield
    except (RedisError, OSError) as error:
        raise LogUnavailable(f"{type(error).__name__}: {error}") from error


def _by_partition(answer: Any, by_key: Mapping[bytes, Partition]) -> dict[Partition, list[Record]]:
    return {by_key[key]: _records(by_key[key], entries) for key, entries in _pairs(answer)}


def _pairs(answer: Any) -> list[tuple[bytes, Any]]:
    """The streams of an answer, in either version of Redis' protocol."""
    if not answer:
        return []
    return [(key, entries[0]) for key, entries in answer.items()] if isinstance(answer, dict) else list(answer)


def _records(partition: Partition, entries: Any) -> list[Record]:
    return [
        Record(partition, int(entry_id.partition(b"-")[0]), Event.decode(fields[b"event"]))
        for entry_id, fields in entries
    ]
