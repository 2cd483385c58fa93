"""Admission: rate limits, the session check and the news of posts, for all requests of one turn of the event loop in
one script that Redis runs.

A limit is the generic cell rate algorithm (api/rate_limit.py); whether a session lives is what Redis remembers of it.
"""

import asyncio
from dataclasses import dataclass

from api.rate_limit import Limit
from cluster.redis import Redis, RedisError
from features.feed.changes import READ_AT_ONCE, ChangesReader

MOST_AT_ONCE = 128
"""Requests that one script call admits: Redis does nothing else meanwhile."""

_ADMIT = f"""
local answers, now = {{}}, redis.call('TIME')
local at = now[1] * 1000000 + now[2]
for n = 1, #KEYS - 1, 2 do
  local interval, burst = tonumber(ARGV[n]), tonumber(ARGV[n + 1])
  local due = math.max(tonumber(redis.call('GET', KEYS[n]) or at), at)
  if due - at > interval * burst then
    answers[n] = math.ceil((due - at - interval * burst) / 1000)
  else
    redis.call('SET', KEYS[n], string.format('%d', due + interval), 'PX', math.ceil((due + interval - at) / 1000) + 1)
    answers[n] = 0
  end
  answers[n + 1] = redis.call('GET', KEYS[n + 1])
end
local stream, after = KEYS[#KEYS], ARGV[#ARGV]
if #KEYS % 2 == 0 then
  return answers
elseif after == '' then
  answers[#KEYS] = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)
else
  answers[#KEYS] = redis.call('XRANGE', stream, '(' .. after, '+', 'COUNT', {READ_AT_ONCE})
end
return answers
"""
"""Keys by twos: a limit, and a key that is only read; then, to read news, their stream. Arguments by twos: a limit's
interval (microseconds) and burst; then the last entry known, empty for none. Answers by twos: milliseconds to wait, and
what stands under the second key; then the news, or the newest entry if none was known."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`wait_ms` is 0 for who may pass; `liveness` is what stands under the session's key."""

    wait_ms: int
    liveness: bytes | None


@dataclass(frozen=True, slots=True)
class _Asked:
    limit_key: str
    limit: Limit
    liveness_key: str
    verdict: asyncio.Future[Verdict]


class Admissions:
    """The admissions of one process. `news` is read along with every one."""

    def __init__(self, redis: Redis, news: ChangesReader | None = None) -> None:
        self._admit = redis.register_script(_ADMIT)
        self._news = news
        self._asked: list[_Asked] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, limit_key: str, limit: Limit, liveness_key: str | None) -> Verdict:
        """Counts a request. Raises RedisError."""
        loop = asyncio.get_running_loop()
        if not self._asked:
            loop.call_soon(self._flush)
        verdict: asyncio.Future[Verdict] = loop.create_future()
        self._asked.append(_Asked(limit_key, limit, liveness_key or limit_key, verdict))
        return await verdict

    def _flush(self) -> None:
        asked, self._asked = self._asked, []
        for start in range(0, len(asked), MOST_AT_ONCE):
            task = asyncio.get_running_loop().create_task(self._answer(asked[start : start + MOST_AT_ONCE]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, asked: list[_Asked]) -> None:
        keys = [key for one in asked for key in (one.limit_key, one.liveness_key)]
        arguments: list[int | bytes] = [n for one in asked for n in (one.limit.interval_us, one.limit.burst)]
        news, after = self._news, None
        if news is not None:
            after = news.last
            keys.append(news.stream)
            arguments.append(after or b"")
        try:
            answers = await self._admit(keys, arguments)
        except RedisError as error:
            if news is not None:
                news.lost()
            for one in asked:
                if not one.verdict.done():
                    one.verdict.set_exception(error)
            return
        if news is not None:
            news.take(after, answers[-1])
        for number, one in enumerate(asked):
            if not one.verdict.done():
                one.verdict.set_result(Verdict(int(answers[2 * number]), answers[2 * number + 1] or None))
