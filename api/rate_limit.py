"""Rate limits in Redis: the generic cell rate algorithm (GCRA, ITU-T I.371), one key and one script call per limit.

Ours rather than a library's because it travels in the same round trip as the session check
(docs/decisions/rate-limits.md).
"""

from dataclasses import dataclass

GCRA = """
local interval, burst, now = tonumber(ARGV[1]), tonumber(ARGV[2]), redis.call('TIME')
local at = now[1] * 1000000 + now[2]
local due = math.max(tonumber(redis.call('GET', KEYS[1]) or at), at)
if due - at > interval * burst then
  return math.ceil((due - at - interval * burst) / 1000)
end
redis.call('SET', KEYS[1], string.format('%d', due + interval), 'PX', math.ceil((due + interval - at) / 1000) + 1)
return 0
"""


@dataclass(frozen=True, slots=True)
class Limit:
    """`per_minute` requests on average, and `burst` more at once."""

    per_minute: int
    burst: int

    @property
    def interval_us(self) -> int:
        """Microseconds between two requests at the allowed pace."""
        return 60_000_000 // self.per_minute
