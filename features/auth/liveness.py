"""Which sign-in sessions are live, cached in Redis so that most requests need not ask Postgres (docs/decisions/
session-revocation.md).

Key ``{brand}:session:{id}``: ``1`` live, ``0`` ended, absent: ask Postgres. ``1`` is only written where there is no
value, so it never overwrites a ``0``.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from cluster.redis import Redis, RedisError

LIVE, ENDED = b"1", b"0"

_LIVE_FOR_S = 300
_ANNOUNCED_FOR_S = 60
"""Longer than any transaction may take. If it rolls back, the session is live again after this time."""


class SessionLiveness:
    """The cache of one brand. An ended session stays marked for longer than the lifetime of an access token."""

    def __init__(self, redis: Redis, brand: str, access_token_lifetime: timedelta) -> None:
        self._redis = redis
        self._brand = brand
        self._ended_for_s = int(access_token_lifetime.total_seconds()) + _LIVE_FOR_S

    def key(self, session_id: UUID) -> str:
        return f"{self._brand}:session:{session_id}"

    async def remember_live(self, session_id: UUID) -> None:
        """Caches that a session is live. Ignores errors of Redis: Postgres is asked again."""
        with suppress(RedisError):
            await self._redis.set(self.key(session_id), LIVE, ex=_LIVE_FOR_S, nx=True)

    async def announce_end(self, session_ids: Sequence[UUID]) -> None:
        """Marks sessions as ended before the commit, so that no replica can cache them as live. Ignores errors of
        Redis."""
        with suppress(RedisError):
            await self._mark(session_ids, _ANNOUNCED_FOR_S)

    async def mark_ended(self, session_ids: Sequence[UUID]) -> None:
        """Marks sessions as ended after the commit. Raises RedisError; the consumer of the event retries."""
        await self._mark(session_ids, self._ended_for_s)

    async def _mark(self, session_ids: Sequence[UUID], seconds: int) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for session_id in session_ids:
            pipeline.set(self.key(session_id), ENDED, ex=seconds)
        await pipeline.execute()
