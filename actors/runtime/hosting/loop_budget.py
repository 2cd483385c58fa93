"""A share of each iteration of the event loop, so that entities leave the rest to the lease and to I/O."""

from __future__ import annotations

import asyncio

from actors.runtime.clock import SYSTEM_CLOCK, Clock


class LoopBudget:
    """Seconds that a kind of work may take of each iteration of the event loop, counted from its first use there."""

    __slots__ = ("_clock", "_seconds", "_until")

    def __init__(self, seconds: float, clock: Clock = SYSTEM_CLOCK) -> None:
        self._seconds = seconds
        self._clock = clock
        self._until: float | None = None

    def spent(self) -> bool:
        """Whether the work is to wait for the next iteration."""
        now = self._clock.monotonic()
        if self._until is None:
            self._until = now + self._seconds
            asyncio.get_running_loop().call_soon(self._renew)
            return False
        return now >= self._until

    def _renew(self) -> None:
        # Callbacks run in the order in which they were scheduled: before what the next poll finds to be read.
        self._until = None
