"""Rate limits in Redis: the generic cell rate algorithm (GCRA, ITU-T I.371), one key per limit, one script call for
all requests of a moment (api/admission.py).

Ours rather than a library's because it travels in the same round trip as the session check
(docs/decisions/rate-limits.md).
"""

from dataclasses import dataclass

GCRA = """
local answers, now = {}, redis.call('TIME')
local at = now[1] * 1000000 + now[2]
for n = 1, #KEYS, 2 do
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
return answers
"""
"""Keys by twos: a limit, and a key that is only read. Arguments by twos: a limit's interval (microseconds) and burst.
Answers by twos: milliseconds to wait, and what stands under the second key."""


@dataclass(frozen=True, slots=True)
class Limit:
    """`per_minute` requests on average, and `burst` more at once."""

    per_minute: int
    burst: int

    @property
    def interval_us(self) -> int:
        """Microseconds between two requests at the allowed pace."""
        return 60_000_000 // self.per_minute
