"""What a host says of itself: with every heartbeat to the coordinator, and to Prometheus."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import psutil

from actors.runtime.hosting.mailboxes import Mailboxes
from actors.runtime.metrics import CALLS, ENTITIES, MEMORY, PASSIVATED, QUEUE_WAIT, QUEUED

_LAG_SECONDS = 0.1
_IDLE_LAG_SECONDS = 1.0
"""Between two looks while there is less than a call a second."""
_SMOOTHING = 0.3


class Reporter:
    """Turns the mailboxes' counters into rates and metrics."""

    def __init__(self, host: str, worker: str, mailboxes: Mailboxes) -> None:
        """``worker`` is Ray's id of this process."""
        self._host = host
        self._worker = worker
        self._mailboxes = mailboxes
        self._process = psutil.Process()
        self._idle_memory = self._process.memory_info().rss
        self._reported_at = time.monotonic()
        self._rate = 0.0
        self._lag = 0.0

    async def measure_lag(self) -> None:
        """Forever notices how late the event loop is: that is how long a call waits before it is looked at."""
        loop = asyncio.get_running_loop()
        while True:
            pause = _LAG_SECONDS if self._rate >= 1.0 else _IDLE_LAG_SECONDS
            due = loop.time() + pause
            await asyncio.sleep(pause)
            self._lag += _SMOOTHING * (max(0.0, loop.time() - due) - self._lag)

    def report(self, now: float) -> dict[str, Any]:
        """The load since the last report."""
        calls = 0
        for kind, load in self._mailboxes.loads.items():
            calls += load.calls
            CALLS.labels(self._host, kind).inc(load.calls)
            QUEUED.labels(self._host, kind).inc(load.queued)
            load.calls = load.queued = 0
        elapsed = max(1e-3, now - self._reported_at)
        self._reported_at = now
        self._rate += _SMOOTHING * (calls / elapsed - self._rate)
        memory = self._process.memory_info().rss
        entities = dict(self._mailboxes.population())
        for kind, count in entities.items():
            ENTITIES.labels(self._host, kind).set(count)
        QUEUE_WAIT.labels(self._host).set(self._lag)
        MEMORY.labels(self._host).set(memory)
        return {
            "worker": self._worker,
            "calls_per_second": round(self._rate, 1),
            "queue_wait": round(self._lag, 4),
            "memory": memory,
            "idle_memory": self._idle_memory,
            "entities_by_kind": entities,
        }

    def passivated(self, count: int) -> None:
        """So many idle entities were let go."""
        PASSIVATED.labels(self._host).inc(count)
