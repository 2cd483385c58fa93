"""What of a session survives its host: the journal of the outbox and the last saved state, in Redis.

Per user a hash (`stream`, `last`, `state`) and a Redis stream whose entry ids are the event numbers. A write
names the last number its writer knows; where the journal is ahead of that, someone else owns the session now
and the write is refused. Both keys expire together, so a journal never looks shorter than it was.

All writes of one event-loop turn travel as one pipeline, one pipeline at a time (group commit).
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgpack

from cluster.redis import Redis, RedisError
from features.realtime.events import Item
from features.sessions.outbox import Entry
from features.sessions.policy import SessionPolicy

# KEYS: hash, log.
# ARGV: last known, stream, last, first kept, milliseconds to live, state or '', then number, entry, ...
_WRITE = """
local stored = redis.call('HGET', KEYS[1], 'last')
if not stored then redis.call('DEL', KEYS[2]) end
if stored and tonumber(stored) > tonumber(ARGV[1]) then return 0 end
for i = 7, #ARGV, 2 do redis.call('XADD', KEYS[2], ARGV[i] .. '-0', 'e', ARGV[i + 1]) end
redis.call('XTRIM', KEYS[2], 'MINID', ARGV[4] .. '-0')
redis.call('HSET', KEYS[1], 'stream', ARGV[2], 'last', ARGV[3])
if ARGV[6] ~= '' then redis.call('HSET', KEYS[1], 'state', ARGV[6]) end
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
return 1
"""
_MOST_AT_ONCE = 512
_FORMAT = 1


class StaleJournal(Exception):
    """Another owner has written this session's journal since."""


class JournalUnavailable(Exception):
    """Redis did not take the write; it may or may not have happened."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What was journaled of one session."""

    stream: str
    last: int
    state: Mapping[str, object] | None
    """`Session.save()` of the last write that carried it."""
    forks: Mapping[str, int]
    """Of the outbox, as of that write."""
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Write:
    """One journal write: the events `known + 1 .. last` of `stream`, and the state if it changed."""

    user: str
    stream: str
    known: int
    """The number before the first of `entries`."""
    last: int
    first_kept: int
    entries: Sequence[Entry]
    state: Mapping[str, object] | None


class SessionStore:
    """The sessions' journals of one brand."""

    def __init__(self, redis: Redis, brand: str, policy: SessionPolicy) -> None:
        self._redis = redis
        self._brand = brand
        self._ttl_ms = int(policy.journal_ttl_s * 1000)
        self._queue: list[tuple[Write, asyncio.Future[bool]]] = []
        self._flushing: asyncio.Task[None] | None = None

    def _keys(self, user: str) -> tuple[str, str]:
        base = f"{self._brand}:session:{{{user}}}"
        return f"{base}:state", f"{base}:log"

    async def load(self, user: str) -> Stored | None:
        """What is stored, None if nothing is. Raises RedisError."""
        state_key, log_key = self._keys(user)
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.hmget(state_key, ["stream", "last", "state"])
        pipeline.xrange(log_key)
        (stream, last, state), log = await pipeline.execute()
        if stream is None:
            return None
        saved = None
        if state is not None:
            form, saved = msgpack.unpackb(state)
            if form != _FORMAT:
                raise ValueError(f"session state of format {form}")
        entries = [_entry(int(number.partition(b"-")[0]), fields[b"e"]) for number, fields in log]
        forks = {} if saved is None else saved["forks"]
        return Stored(stream.decode(), int(last), saved, forks, entries)

    async def write(self, write: Write) -> None:
        """Stores events and state. Raises StaleJournal, or JournalUnavailable when Redis is."""
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._queue.append((write, done))
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        if not await done:
            raise StaleJournal(write.user)

    async def _flush(self) -> None:
        try:
            while self._queue:
                batch, self._queue = self._queue[:_MOST_AT_ONCE], self._queue[_MOST_AT_ONCE:]
                await self._send(batch)
        finally:
            self._flushing = None

    async def _send(self, batch: list[tuple[Write, asyncio.Future[bool]]]) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for write, _ in batch:
            arguments: list[bytes | str] = [
                str(write.known),
                write.stream,
                str(write.last),
                str(write.first_kept),
                str(self._ttl_ms),
                b"" if write.state is None else msgpack.packb([_FORMAT, write.state]),
            ]
            for entry in write.entries:
                arguments += [str(entry.seq), _packed(entry)]
            pipeline.eval(_WRITE, 2, *self._keys(write.user), *arguments)
        try:
            results = await pipeline.execute(raise_on_error=False)
        except (RedisError, OSError) as error:
            results = [error] * len(batch)
        for (_, done), result in zip(batch, results, strict=True):
            if done.done():
                continue
            if isinstance(result, Exception):
                unavailable = JournalUnavailable(str(result))
                unavailable.__cause__ = result
                done.set_exception(unavailable)
            else:
                done.set_result(bool(result))


def _packed(entry: Entry) -> bytes:
    item = entry.item
    packed: bytes = msgpack.packb([entry.stream, entry.key, item.kind, item.at_ms, item.data])
    return packed


def _entry(seq: int, packed: bytes) -> Entry:
    stream, key, kind, at_ms, data = msgpack.unpackb(packed)
    return Entry(seq, stream, key, Item(kind, at_ms, data))
