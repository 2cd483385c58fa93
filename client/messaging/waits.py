"""What is tried again later: back-off without a clock."""

from collections.abc import Hashable

_FIRST_MS = 500
_LONGEST_MS = 60_000


class Waits:
    """When each thing may be tried again. Lost when the process ends; then everything may be tried at once."""

    def __init__(self) -> None:
        self._waits: dict[Hashable, tuple[int, int]] = {}

    def failed(self, what: Hashable, now: int) -> None:
        """Waits twice as long as the last time, from half a second up to a minute. `now`: milliseconds."""
        failures = self._waits.get(what, (0, 0))[0] + 1
        self._waits[what] = failures, now + min(_FIRST_MS * 2 ** min(failures - 1, 10), _LONGEST_MS)

    def succeeded(self, what: Hashable) -> None:
        self._waits.pop(what, None)

    def ready(self, what: Hashable, now: int) -> bool:
        return what not in self._waits or now >= self._waits[what][1]

    def clear(self) -> None:
        """Everything may be tried at once: the connection is back."""
        self._waits.clear()

    def next(self, now: int) -> int | None:
        """When the next wait ends; None if nothing waits."""
        return min((until for _, until in self._waits.values() if until > now), default=None)
