"""Redis: event log, rate limits and caches. Everything in it can be lost without losing a user's data."""

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

__all__ = ["Redis", "RedisConnectionError", "RedisError", "RedisTimeoutError", "open_redis"]


def open_redis(url: str, *, timeout_s: float = 1.0) -> Redis:
    """A client whose calls fail after `timeout_s`, so that a Redis outage degrades a request instead of hanging it."""
    return Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(ExponentialWithJitterBackoff(base=0.02, cap=0.2), retries=1),
        decode_responses=False,
    )
