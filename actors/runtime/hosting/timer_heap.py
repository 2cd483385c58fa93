"""The durable timers that a host has in memory: those of its shards that are due soon. Time is an argument."""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict
from collections.abc import Iterable

from actors.runtime.store.rows import TimerRow

Key = tuple[str, int, str, str]
"""(kind, shard, entity, name)"""

_FIRST_RETRY_SECONDS = 1.0
_LAST_RETRY_SECONDS = 300.0


class ArmedTimer:
    """A stored timer in memory."""

    __slots__ = ("failures", "row", "taken")

    def __init__(self, row: TimerRow) -> None:
        self.row = row
        self.taken = False
        """Its message is with the entity: waiting, or in a turn that is under way."""
        self.failures = 0
        """Turns with its message that failed."""


class TimerHeap:
    """Timers in the order in which they are due, at most one per key."""

    def __init__(self) -> None:
        self._timers: dict[tuple[str, int], dict[Key, ArmedTimer]] = defaultdict(dict)
        """By shard."""
        self._heap: list[tuple[float, int, ArmedTimer]] = []
        """Timers that were cancelled or replaced stay until they would be due."""
        self._ahead: list[tuple[float, int, ArmedTimer]] = []
        """Timers that ``soon`` has not given yet."""
        self._order = itertools.count()
        self._changed: set[Key] | None = None
        """Since a load began that has not ended: what it reads of these may be old."""
        self.taken = 0
        """How many are with their entities."""

    def __len__(self) -> int:
        return sum(map(len, self._timers.values()))

    def holds(self, timer: ArmedTimer) -> bool:
        """Whether the timer is neither cancelled nor replaced nor fired, and its shard is still here."""
        return self._timers.get((timer.row.kind, timer.row.shard), {}).get(timer.row.key) is timer

    def next_due(self) -> float | None:
        """When ``take`` may have something to give."""
        return self._heap[0][0] if self._heap else None

    def next_soon(self) -> float | None:
        """When the next timer is due that ``soon`` may have to give."""
        return self._ahead[0][0] if self._ahead else None

    # --- timers come and go -------------------------------------------------------------------------------

    def arm(self, row: TimerRow) -> None:
        """A timer was set: it takes the place of the one of its key."""
        self.remove(row.key)
        timer = self._timers[row.kind, row.shard][row.key] = ArmedTimer(row)
        heapq.heappush(self._ahead, self._push(row.due, timer))

    def remove(self, key: Key) -> None:
        """A timer was cancelled, or its message received for good."""
        if self._changed is not None:
            self._changed.add(key)
        timer = self._timers.get(key[:2], {}).pop(key, None)
        if timer is not None and timer.taken:
            self.taken -= 1

    def forget(self, kind: str, shard: int) -> None:
        """The shard is another host's."""
        for timer in self._timers.pop((kind, shard), {}).values():
            self.taken -= timer.taken

    # --- timers are loaded --------------------------------------------------------------------------------

    def begin_load(self) -> None:
        """What is stored is about to be read. One load at a time."""
        self._changed = set()

    def loaded(self, rows: Iterable[TimerRow]) -> None:
        """What was read since ``begin_load``. What changed here meanwhile, or is with its entity, stays as it is."""
        changed, self._changed = self._changed or set(), None
        for row in rows:
            if row.key in changed:
                continue
            known = self._timers.get((row.kind, row.shard), {}).get(row.key)
            if known is None or (known.row != row and not known.taken):
                self.arm(row)

    def soon(self, until: float, limit: int) -> list[TimerRow]:
        """The next timers that are due by ``until``, at most so many and each once."""
        due: list[TimerRow] = []
        while self._ahead and len(due) < limit and self._ahead[0][0] <= until:
            timer = heapq.heappop(self._ahead)[2]
            if not timer.taken and self.holds(timer):
                due.append(timer.row)
        return due

    # --- timers fire --------------------------------------------------------------------------------------

    def take(self, now: float, limit: int) -> list[ArmedTimer]:
        """The next timers that are due at ``now``, at most so many. Each is then removed or ``put_back``."""
        due: list[ArmedTimer] = []
        while self._heap and len(due) < limit and self._heap[0][0] <= now:
            timer = heapq.heappop(self._heap)[2]
            if self.holds(timer):
                timer.taken = True
                self.taken += 1
                due.append(timer)
        return due

    def put_back(self, timer: ArmedTimer, at: float) -> None:
        """The timer has not fired and is due again ``at`` a time, unless it is not held any more."""
        if self.holds(timer) and timer.taken:
            timer.taken = False
            self.taken -= 1
            self._push(at, timer)

    def failed(self, timer: ArmedTimer, now: float) -> None:
        """The turn that received the timer's message failed: it is put back for later, each time for twice as long."""
        if not timer.taken:
            return
        self.put_back(timer, now + min(_LAST_RETRY_SECONDS, _FIRST_RETRY_SECONDS * 2.0**timer.failures))
        timer.failures = min(timer.failures + 1, 16)

    def _push(self, at: float, timer: ArmedTimer) -> tuple[float, int, ArmedTimer]:
        entry = (at, next(self._order), timer)
        heapq.heappush(self._heap, entry)
        return entry
