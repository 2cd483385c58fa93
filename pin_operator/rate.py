"""How often an account may ask: a token bucket for each, in memory.

It protects the stores, not the PIN: ten guesses are ten, however slowly they come.
"""

from collections import OrderedDict

_MAX_ACCOUNTS = 100_000


class RequestRate:
    """`burst` requests of an account at once, `per_second` more with time. Times are seconds of any clock; where it
    goes back, nothing comes back until it is where it was."""

    def __init__(self, burst: int, per_second: float) -> None:
        self._burst = burst
        self._per_second = per_second
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, account: str, now: float) -> float:
        """Takes a request. Returns 0.0, or in how many seconds there is the next one."""
        left, at = self._buckets.pop(account, (float(self._burst), now))
        left = min(float(self._burst), left + max(0.0, now - at) * self._per_second)
        taken = left >= 1.0
        self._buckets[account] = (left - 1.0 if taken else left, max(now, at))
        if len(self._buckets) > _MAX_ACCOUNTS:
            self._buckets.popitem(last=False)
        return 0.0 if taken else (1.0 - left) / self._per_second
