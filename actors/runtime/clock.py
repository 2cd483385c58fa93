"""The time that the runtime's objects read. Tests inject a clock of their own."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Reads the time. The module ``time`` satisfies it."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment; never goes back. For intervals and deadlines inside one process."""

    def time(self) -> float:
        """Seconds since 1970. For what is stored or shown."""


class SystemClock:
    """The machine's clock."""

    def monotonic(self) -> float:
        """See Clock."""
        return time.monotonic()

    def time(self) -> float:
        """See Clock."""
        return time.time()


SYSTEM_CLOCK = SystemClock()
