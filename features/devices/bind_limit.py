"""The limit on how often sessions take over an account's devices: all conversations of the account are told each time.

Counted in Redis by day. While Redis is down nobody is refused: a device has to go on after a log-in.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cluster.metrics import Counter
from cluster.redis import Redis, RedisError
from features.devices.errors import TooManyDeviceChanges
from features.devices.policy import DevicePolicy

_DAY_S = 86_400

UNLIMITED = Counter("entativa_device_binds_unlimited_total", "Sessions bound to devices while Redis did not count them")


@dataclass(frozen=True, slots=True)
class BindLimit:
    """The limit of one brand."""

    redis: Redis
    brand: str
    policy: DevicePolicy

    async def count(self, account_id: UUID, now: datetime) -> None:
        """Counts a session that takes over a device. Raises TooManyDeviceChanges. One round trip."""
        day, second = divmod(int(now.timestamp()), _DAY_S)
        key = f"{self.brand}:device-binds:{day}:{account_id.hex}"
        pipeline = self.redis.pipeline(transaction=False)
        pipeline.incr(key)
        pipeline.expire(key, _DAY_S)
        try:
            bound, _ = await pipeline.execute()
        except RedisError:
            UNLIMITED.inc()
            return
        if bound > self.policy.changes_per_day:
            raise TooManyDeviceChanges(retry_after_s=_DAY_S - second)
