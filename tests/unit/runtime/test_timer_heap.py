"""The heap of durable timers against a table that is plain, and a clock that the test sets."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from actors.runtime.hosting.timer_heap import ArmedTimer, TimerHeap
from actors.runtime.store.rows import TimerRow

SHARDS = st.integers(0, 2)
NAMES = st.sampled_from("xy")
DUES = st.integers(0, 20).map(float)
MESSAGES = st.binary(max_size=1)


class TimerHeapModel(RuleBasedStateMachine):
    """Turns set and cancel timers, which are stored at once; loads read what was stored when they began."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.heap = TimerHeap()
        self.stored: dict[tuple[str, int, str, str], TimerRow] = {}
        self.served = {0, 1, 2}
        self.loaded = {0, 1, 2}
        """Those of them whose timers were read, so that all are held."""
        self.taken: list[ArmedTimer] = []
        self.read: list[TimerRow] | None = None
        self.reading: set[int] = set()
        self.due_again: dict[ArmedTimer, float] = {}
        """When timers that were put back are due."""

    @rule(shard=SHARDS, name=NAMES, due=DUES, message=MESSAGES)
    def set(self, shard: int, name: str, due: float, message: bytes) -> None:
        """By a turn here, or by one of another host that has the shard."""
        row = TimerRow("kind", shard, "entity", name, due, message)
        self.stored[row.key] = row
        if shard in self.served:
            self.heap.arm(row)

    @rule(shard=SHARDS, name=NAMES)
    def cancel(self, shard: int, name: str) -> None:
        key = ("kind", shard, "entity", name)
        self.stored.pop(key, None)
        if shard in self.served:
            self.heap.remove(key)

    @rule(seconds=st.floats(0.0, 10.0), limit=st.integers(0, 3))
    def take(self, seconds: float, limit: int) -> None:
        self.now += seconds
        held = [timer for timers in self.heap._timers.values() for timer in timers.values() if not timer.taken]
        due_at = {timer: self.due_again.get(timer, timer.row.due) for timer in held}
        expected = sorted(due for due in due_at.values() if due <= self.now)[:limit]
        taken = self.heap.take(self.now, limit)
        assert [due_at[timer] for timer in taken] == expected, "the first that are due, in order"
        self.taken += taken

    @precondition(lambda self: self.taken)
    @rule(data=st.data(), outcome=st.sampled_from(["committed", "failed", "not received"]))
    def settle(self, data: st.DataObject, outcome: str) -> None:
        timer = self.taken.pop(data.draw(st.integers(0, len(self.taken) - 1)))
        held = self.heap.holds(timer)
        assert not held or self.stored[timer.row.key] == timer.row
        if not held:
            self.heap.failed(timer, self.now)  # changes nothing
        elif outcome == "committed":
            del self.stored[timer.row.key]
            self.heap.remove(timer.row.key)
        elif outcome == "failed":
            failures = timer.failures
            self.heap.failed(timer, self.now)
            self.heap.failed(timer, self.now)  # the second changes nothing
            self.due_again[timer] = self.now + min(300.0, 2.0**failures)
        else:
            self.heap.put_back(timer, self.now + 0.1)
            self.due_again[timer] = self.now + 0.1

    @rule(shard=SHARDS)
    def lose_shard(self, shard: int) -> None:
        self.heap.forget("kind", shard)
        for shards in (self.served, self.loaded, self.reading):
            shards.discard(shard)

    @precondition(lambda self: self.read is None)
    @rule()
    def begin_load(self) -> None:
        """All shards are served here again."""
        self.heap.begin_load()
        self.read = list(self.stored.values())
        self.served, self.reading = {0, 1, 2}, {0, 1, 2}

    @precondition(lambda self: self.read is not None)
    @rule()
    def end_load(self) -> None:
        assert self.read is not None
        self.heap.loaded(row for row in self.read if row.shard in self.served)
        self.read = None
        self.loaded |= self.reading

    @invariant()
    def what_is_stored_is_held(self) -> None:
        held = {key: timer.row for timers in self.heap._timers.values() for key, timer in timers.items()}
        assert {row.shard for row in held.values()} <= self.served
        assert all(self.stored.get(key) == row for key, row in held.items())
        assert held.keys() >= {key for key, row in self.stored.items() if row.shard in self.loaded}
        assert len(self.heap) == len(held)
        assert self.heap.taken == sum(self.heap.holds(timer) for timer in self.taken)


TestTimerHeap = TimerHeapModel.TestCase
