"""What an operator has to look at before it becomes an outage: kept in Redis, so that every process can say it.

An alarm is raised anew every minute by whoever watches, and is forgotten when nobody does.
"""

from collections.abc import Iterable
from enum import StrEnum

import orjson

from cluster.redis import Redis

_KEPT_S = 180


class Alarm(StrEnum):
    """An alarm; docs/operations.md says what to do."""

    CONSUMER_BEHIND = "consumer_behind"
    LOG_FILLS_UP = "log_fills_up"
    EVENTS_PILE_UP = "events_pile_up"
    DATABASE_FILLS_UP = "database_fills_up"
    SHARD_MAP_IS_STALE = "shard_map_is_stale"


def _key(brand: str) -> str:
    return f"{brand}:alarms"


async def raise_alarms(redis: Redis, brand: str, alarms: Iterable[Alarm]) -> None:
    """Replaces the alarms of a brand. Raises RedisError."""
    await redis.set(_key(brand), orjson.dumps(sorted(set(alarms))), ex=_KEPT_S)


async def raised(redis: Redis, brand: str) -> list[Alarm]:
    """Returns the alarms of a brand, except those that this version of the code does not know. Raises RedisError."""
    stored: list[str] = orjson.loads(await redis.get(_key(brand)) or b"[]")
    return [alarm for alarm in Alarm if alarm.value in stored]
