"""Admission of requests: rate limit and session check, for all requests that wait in one Redis script.

A limit is the generic cell rate algorithm (api/rate_limit.py); whether a session is live is what Redis has cached. The
same round trip can read new entries of one Redis stream (`StreamReader`), so that what a process caches is no older
than the requests it admits. Requests that come during a round trip share the next one.
"""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

from api.rate_limit import Limit
from cluster.redis import Redis, RedisConnectionError, RedisTimeoutError, StreamReader
from cluster.redis_script import HotScript

MAX_BATCH = 128
"""Requests admitted by one script call; Redis is blocked meanwhile."""

_ADMIT = """
local replies, now = {}, redis.call('TIME')
local at = now[1] * 1000000 + now[2]
for n = 1, #KEYS - 1, 2 do
  local interval, burst = tonumber(ARGV[n]), tonumber(ARGV[n + 1])
  local due = math.max(tonumber(redis.call('GET', KEYS[n]) or at), at)
  if due - at > interval * burst then
    replies[n] = math.ceil((due - at - interval * burst) / 1000)
  else
    redis.call('SET', KEYS[n], string.format('%d', due + interval), 'PX', math.ceil((due + interval - at) / 1000) + 1)
    replies[n] = 0
  end
  replies[n + 1] = redis.call('GET', KEYS[n + 1])
end
if #KEYS % 2 == 0 then
  return replies
end
local stream, after, count = KEYS[#KEYS], ARGV[#ARGV - 1], ARGV[#ARGV]
if after == '' then
  replies[#KEYS] = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)
else
  replies[#KEYS] = redis.call('XRANGE', stream, '(' .. after, '+', 'COUNT', count)
end
return replies
"""
"""Keys: per request a limit and a key that is only read; then, optionally, a stream. Arguments: per request the limit's
interval (microseconds) and burst; then the id of the last entry read (empty: none) and the number of entries to read.
Replies: per request the milliseconds to wait and the value of the second key; then the entries, or the newest entry if
none was read before."""


class Verdict(NamedTuple):
    """`wait_ms` is 0 for an admitted request; `liveness` is the cached state of its session."""

    wait_ms: int
    liveness: bytes | None


class _Pending(NamedTuple):
    limit_key: str
    limit: Limit
    liveness_key: str
    verdict: asyncio.Future[Verdict]


class Admissions:
    """The admissions of one process. `reader` is read along with every one."""

    def __init__(self, redis: Redis, reader: StreamReader | None = None) -> None:
        self._script = HotScript(redis, _ADMIT)
        self._reader = reader
        self._pending: list[_Pending] = []
        self._running: asyncio.Task[None] | None = None

    async def ask(self, limits: Mapping[str, Limit], liveness_key: str | None) -> list[Verdict]:
        """Counts a request against each of these limits, by key. Returns their verdicts, in order. Raises
        RedisError."""
        loop = asyncio.get_running_loop()
        verdicts = list[asyncio.Future[Verdict]]()
        for limit_key, limit in limits.items():
            verdict: asyncio.Future[Verdict] = loop.create_future()
            self._pending.append(_Pending(limit_key, limit, liveness_key or limit_key, verdict))
            verdicts.append(verdict)
        if self._running is None:
            self._running = loop.create_task(self._run())
        try:
            return [await verdict for verdict in verdicts]
        except BaseException:
            for verdict in verdicts:
                if not verdict.cancel() and not verdict.cancelled():
                    verdict.exception()  # retrieved: the first one is raised
            raise

    async def close(self) -> None:
        """Ends the connection to Redis. Whoever waits gets a RedisError."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])
            self._running = None
        _fail(self._take(len(self._pending)), _closed())
        await self._script.close()

    async def _run(self) -> None:
        try:
            while self._pending:
                await self._admit(self._take(MAX_BATCH))
        finally:
            self._running = None

    def _take(self, count: int) -> list[_Pending]:
        taken, self._pending = self._pending[:count], self._pending[count:]
        return taken

    async def _admit(self, batch: list[_Pending]) -> None:
        keys = [key for request in batch for key in (request.limit_key, request.liveness_key)]
        arguments: list[int | bytes] = [
            n for request in batch for n in (request.limit.interval_us, request.limit.burst)
        ]
        reader, after = self._reader, None
        if reader is not None:
            after = reader.last
            keys.append(reader.stream)
            arguments += [after or b"", reader.max_read]
        try:
            replies = await self._script.run(keys, arguments)
            if reader is not None:
                reader.take(after, replies[-1])
            verdicts = [Verdict(int(replies[at]), replies[at + 1] or None) for at in range(0, 2 * len(batch), 2)]
        except asyncio.CancelledError:
            _fail(batch, _closed())
            raise
        except Exception as error:  # noqa: BLE001 - handed to the requests: none may wait for ever, whatever it is
            if reader is not None:
                reader.lost()
            if isinstance(error, RedisConnectionError | RedisTimeoutError):
                # Redis is away. Those who wait for the next call would wait as long once more.
                batch += self._take(len(self._pending))
            _fail(batch, error)
            return
        for request, verdict in zip(batch, verdicts, strict=True):
            if not request.verdict.done():
                request.verdict.set_result(verdict)


def _fail(requests: list[_Pending], error: Exception) -> None:
    for request in requests:
        if not request.verdict.done():
            request.verdict.set_exception(error)


def _closed() -> RedisConnectionError:
    return RedisConnectionError("admissions are closed")
