"""How loaded the consumers of a process are, and how many processes a brand's consumers need."""

from collections.abc import Sequence
from dataclasses import dataclass

from cluster.events.log import PARTITIONS

LAG_S = 10.0
"""A consumer that is further behind gets help."""
_SETTLED_S = 1.0
_QUIET = 0.5


@dataclass(frozen=True, slots=True)
class Load:
    """Of one process: the age in seconds of the oldest event that its slowest consumer is at (0: all are done), and the
    share of the time in which its busiest consumer handled events, from 0 to 1."""

    lag_s: float
    busy: float


def wanted_processes(loads: Sequence[Load], processes: int) -> int:
    """Returns how many processes should share the partitions, given the load of those that run: twice as many where one
    is behind, one less where the others would have half of their time to spare with its work. Between the two nothing
    changes, so that the number does not swing. More processes than partitions are of no use."""
    if any(load.lag_s > LAG_S for load in loads):
        return min(2 * processes, PARTITIONS)
    settled = all(load.lag_s < _SETTLED_S for load in loads)
    if processes > 1 and settled and sum(load.busy for load in loads) < _QUIET * (processes - 1):
        return processes - 1
    return processes


class BusyTime:
    """The share of time in which something was being done."""

    def __init__(self, now: float) -> None:
        self._asked = now
        self._begun: float | None = None
        self._busy = 0.0

    def begin(self, now: float) -> None:
        self._begun = now

    def end(self, now: float) -> None:
        if self._begun is not None:
            self._busy += now - max(self._begun, self._asked)
            self._begun = None

    def share(self, now: float) -> float:
        """Returns the share since this was asked before, from 0 to 1."""
        if self._begun is not None:
            self._busy += now - max(self._begun, self._asked)
        share = self._busy / (now - self._asked) if now > self._asked else 0.0
        self._asked, self._busy = now, 0.0
        return min(1.0, share)
