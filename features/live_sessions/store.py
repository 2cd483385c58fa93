"""The journal of live sessions in Redis: the events of the outbox and the last saved state.

Each user has a hash (`stream`, `last`, `state`) and a Redis stream whose entry ids are the event numbers. A write names
the last number its writer knows and the stream that its writer loaded. If the journal is ahead of that, or belongs to
another stream, another process owns the session now and the write is refused. Events expire before the hash does:
`last` still says that there were some.

Reads and writes that wait at the same time share a pipeline.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgpack

from cluster.redis import Redis, RedisError
from cluster.redis_pipeline import Command, SharedPipeline
from features.live_sessions.outbox import Entry
from features.live_sessions.policy import LiveSessionPolicy
from features.realtime.events import Item

# KEYS: hash, log.
# ARGV: last known, stream found, stream, last, first kept, milliseconds to live of the hash and of the log, state or
# '', then number, entry, ...
# Returns 0: refused; 1: stored; 2: stored, and there is no state beside it.
_WRITE = """
local stored, stream = unpack(redis.call('HMGET', KEYS[1], 'last', 'stream'))
if not stored then
  redis.call('DEL', KEYS[2])
elseif tonumber(stored) > tonumber(ARGV[1]) or (stream ~= ARGV[2] and stream ~= ARGV[3]) then
  return 0
end
for i = 9, #ARGV, 2 do redis.call('XADD', KEYS[2], ARGV[i] .. '-0', 'e', ARGV[i + 1]) end
redis.call('XTRIM', KEYS[2], 'MINID', ARGV[5] .. '-0')
redis.call('HSET', KEYS[1], 'stream', ARGV[3], 'last', ARGV[4])
if ARGV[8] ~= '' then redis.call('HSET', KEYS[1], 'state', ARGV[8]) end
redis.call('PEXPIRE', KEYS[1], ARGV[6])
redis.call('PEXPIRE', KEYS[2], ARGV[7])
return 2 - redis.call('HEXISTS', KEYS[1], 'state')
"""
_FORMAT = 1


class StaleJournal(Exception):
    """Another owner has written this session's journal."""


class JournalUnavailable(Exception):
    """Redis did not respond. A write may or may not have happened."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The journal of one session."""

    stream: str
    last: int
    state: Mapping[str, object] | None
    """`LiveSession.save()` of the last write that included it."""
    forks: Mapping[str, int]
    """The outbox's forks, as of that write."""
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Write:
    """One journal write: the events `known + 1` to `last` of `stream`, and the state if it changed."""

    user: str
    found: str
    """The journal's stream when the session was loaded, empty if there was none."""
    stream: str
    known: int
    """The number before the first of `entries`."""
    last: int
    first_kept: int
    entries: Sequence[Entry]
    state: Mapping[str, object] | None


class JournalStore:
    """The journals of one brand's live sessions."""

    def __init__(self, redis: Redis, brand: str, policy: LiveSessionPolicy) -> None:
        self._pipeline = SharedPipeline(redis)
        self._brand = brand
        self._state_ttl_ms = int(policy.journal_ttl_s * 1000)
        self._log_ttl_ms = int(min(policy.journal_ttl_s, 2 * policy.outbox_age_s) * 1000)

    def _keys(self, user: str) -> tuple[str, str]:
        base = f"{self._brand}:session:{{{user}}}"
        return f"{base}:state", f"{base}:log"

    async def load(self, user: str) -> Stored | None:
        """Returns a user's journal, None if there is none. Raises JournalUnavailable."""
        state_key, log_key = self._keys(user)
        # Not one transaction: entries written in between have numbers above `last` and are left out.
        (stream, last, state), log = await self._execute(
            ("HMGET", state_key, "stream", "last", "state"), ("XRANGE", log_key, "-", "+")
        )
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

    async def write(self, write: Write) -> bool:
        """Stores events and state. Returns False if Redis holds no state for the user (it is new, or Redis lost it).
        Raises StaleJournal and JournalUnavailable."""
        arguments: list[bytes | str | int] = [
            write.known,
            write.found,
            write.stream,
            write.last,
            write.first_kept,
            self._state_ttl_ms,
            self._log_ttl_ms,
            b"" if write.state is None else msgpack.packb([_FORMAT, write.state]),
        ]
        for entry in write.entries:
            arguments += [entry.seq, _packed(entry)]
        (written,) = await self._execute(("EVAL", _WRITE, 2, *self._keys(write.user), *arguments))
        if not written:
            raise StaleJournal(write.user)
        return bool(written == 1)

    async def _execute(self, *commands: Command) -> list[Any]:
        try:
            return await self._pipeline.execute(*commands)
        except (RedisError, OSError) as error:
            raise JournalUnavailable(str(error)) from error


def _packed(entry: Entry) -> bytes:
    item = entry.item
    packed: bytes = msgpack.packb([entry.stream, entry.key, item.kind, item.at_ms, item.data])
    return packed


def _entry(seq: int, packed: bytes) -> Entry:
    stream, key, kind, at_ms, data = msgpack.unpackb(packed)
    return Entry(seq, stream, key, Item(kind, at_ms, data))
