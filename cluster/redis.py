"""Redis: event log, rate limits and caches. Everything in it can be lost without losing a user's data."""

from collections.abc import Sequence
from typing import Protocol

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

__all__ = ["Redis", "RedisConnectionError", "RedisError", "RedisTimeoutError", "StreamReader", "open_redis"]


class StreamReader(Protocol):
    """A position in a Redis stream that somebody else reads: gateways, along with the admission of each request."""

    stream: str
    max_read: int
    """Entries to read at once."""

    @property
    def last(self) -> bytes | None:
        """The id of the entry after which to read; None: read the newest entry only."""

    def take(self, after: bytes | None, entries: Sequence[tuple[bytes, Sequence[bytes]]]) -> None:
        """Handles what was read after the entry `after`."""

    def lost(self) -> None:
        """The stream could not be read."""


def open_redis(url: str, *, timeout_s: float = 1.0) -> Redis:
    """A client whose calls fail after `timeout_s`, so that a Redis outage degrades a request instead of hanging it."""
    return Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(ExponentialWithJitterBackoff(base=0.02, cap=0.2), retries=1),
        decode_responses=False,
    )
