"""A clock that tests move."""

from datetime import UTC, datetime, timedelta


class Clock:
    """The platform's time; starts at the real time and moves only when told."""

    def __init__(self) -> None:
        self._now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> datetime:
        self._now += by
        return self._now
