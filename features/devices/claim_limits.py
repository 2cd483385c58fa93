"""Limits on claims of other people's one-time keys, which nobody but their device can make again.

Counted in Redis by hour of the clock, apart for prekeys and KeyPackages. While Redis is down, claims get last resorts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from uuid import UUID

from cluster.metrics import Counter
from cluster.redis import Redis, RedisError
from features.devices.policy import DevicePolicy

_HOUR_S = 3_600

LIMITED = Counter("entativa_key_claims_limited_total", "Claims of keys that got less than one-time keys", ["reason"])


class Grant(Enum):
    """What a claim gets of an account's devices."""

    ONE_TIME = "one_time"
    LAST_RESORT = "last_resort"
    NOTHING = "nothing"


def grant(policy: DevicePolicy, by_asker: int, by_strangers: int | None) -> Grant:
    """Decides on a claim that is the `by_asker`th of an account for another's keys within the hour, and, if it is a
    stranger's, the `by_strangers`th of all strangers."""
    if by_asker > policy.claims_per_hour:
        return Grant.NOTHING
    if by_strangers is not None and by_strangers > policy.stranger_claims_per_hour:
        return Grant.LAST_RESORT
    return Grant.ONE_TIME


@dataclass(frozen=True, slots=True)
class ClaimLimits:
    """The limits of one brand."""

    redis: Redis
    brand: str
    policy: DevicePolicy

    async def count(self, kind: str, asker: UUID, asked: Mapping[UUID, bool], now: datetime) -> dict[UUID, Grant]:
        """Counts a claim of the keys of accounts, each with whether it has a connection to the asker. Returns what the
        claim gets of each. What is refused counts for the asker only. Two round trips at most."""
        hour = int(now.timestamp()) // _HOUR_S
        prefix = f"{self.brand}:claims:{kind}:{hour}:"
        try:
            by_asker = await self._increment({each: f"{prefix}{asker.hex}:{each.hex}" for each in asked})
            allowed = [each for each, count in by_asker.items() if grant(self.policy, count, None) is Grant.ONE_TIME]
            strange = {each: f"{prefix}{each.hex}" for each in allowed if not asked[each]}
            by_strangers = await self._increment(strange)
        except RedisError:
            LIMITED.labels("no_redis").inc(len(asked))
            return dict.fromkeys(asked, Grant.LAST_RESORT)
        granted = {each: grant(self.policy, by_asker[each], by_strangers.get(each)) for each in asked}
        for each in granted.values():
            if each is not Grant.ONE_TIME:
                LIMITED.labels(each.value).inc()
        return granted

    async def _increment(self, keys: Mapping[UUID, str]) -> dict[UUID, int]:
        if not keys:
            return {}
        pipeline = self.redis.pipeline(transaction=False)
        for key in keys.values():
            pipeline.incr(key)
            pipeline.expire(key, _HOUR_S)
        return dict(zip(keys, (await pipeline.execute())[::2], strict=True))


def seconds_left(now: datetime) -> int:
    """Returns the seconds until the counts begin anew."""
    return _HOUR_S - int(now.timestamp()) % _HOUR_S
