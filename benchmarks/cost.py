"""What a step costs: wall time, and CPU time, which a busy machine disturbs less."""

from __future__ import annotations

import time
from types import TracebackType
from typing import NamedTuple, Self


class Cost(NamedTuple):
    """Seconds of wall time, and of CPU time in all threads of the process that did the work."""

    wall: float
    cpu: float

    def __add__(self, other: object) -> Cost:
        assert isinstance(other, Cost)
        return Cost(self.wall + other.wall, self.cpu + other.cpu)


class Stopwatch:
    """`with Stopwatch() as watch: ...`; then `watch.cost`."""

    cost: Cost

    def __enter__(self) -> Self:
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cost = Cost(time.perf_counter() - self._wall, time.process_time() - self._cpu)
