"""Admission: rate limits, the session check and the news of posts, for all requests of one turn of the event loop in
one Redis round trip.

A limit is the generic cell rate algorithm (api/rate_limit.py); whether a session lives is what Redis remembers of it.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from api.rate_limit import GCRA, Limit
from cluster.redis import Redis, RedisError
from features.feed.changes import ChangesReader

MOST_AT_ONCE = 128
"""Requests that one script call admits: Redis does nothing else meanwhile."""


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
        self._redis = redis
        self.news = news
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
        numbers = [str(number) for one in asked for number in (one.limit.interval_us, one.limit.burst)]
        pipeline: Any = self._redis.pipeline(transaction=False)
        pipeline.eval(GCRA, len(keys), *keys, *numbers)
        token = self.news.ask(pipeline) if self.news is not None else None
        try:
            answers, *news = await pipeline.execute()
        except RedisError as error:
            if self.news is not None:
                self.news.lost()
            for one in asked:
                if not one.verdict.done():
                    one.verdict.set_exception(error)
            return
        if self.news is not None:
            self.news.take(token, news[0])
        for number, one in enumerate(asked):
            if not one.verdict.done():
                one.verdict.set_result(Verdict(int(answers[2 * number]), answers[2 * number + 1] or None))
