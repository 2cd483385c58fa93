"""The memory of answered calls, by which a call that is sent again runs only once.

The idea is RIFL's (Lee et al., "Implementing Linearizability at Large Scale and Low Latency", SOSP 2015):
callers number their calls and say with every message below which number all are settled, so the memory is
exact. Per caller it has at most the calls since its oldest that is in flight, anywhere: one that waits for a
host that is gone keeps all later answers here, until it is settled or its deadline passes. The memory moves
with a shard; turns that write something durable store their answers with it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Protocol

from actors.runtime.store.rows import Answer

Shard = tuple[str, int]


class Origin(Protocol):
    """Where an answer goes: a connection, or a batch that came as a Ray call."""

    def answer(self, packed: bytes) -> None:
        """Sends a packed [call, status, value] soon; does nothing if the way back is gone."""


class Both:
    """A call that came a second time is answered both ways: either may be dead."""

    def __init__(self, first: Origin, second: Origin) -> None:
        self._origins = (first, second)

    def answer(self, packed: bytes) -> None:
        """See Origin."""
        for origin in self._origins:
            origin.answer(packed)

    def without(self, origin: Origin) -> Origin:
        """What is left when one of them is closed."""
        first, second = self._origins
        return second if first is origin else first if second is origin else self


class Entry:
    """A call that runs (``answer`` is empty, ``origin`` waits) or ran."""

    __slots__ = ("answer", "origin", "shard", "trace")

    def __init__(
        self, shard: Shard, answer: bytes = b"", origin: Origin | None = None, trace: str | None = None
    ) -> None:
        self.shard = shard
        self.answer = answer
        self.origin = origin
        self.trace = trace
        """The caller's traceparent, while the call runs."""

    def ask_again(self, origin: Origin) -> None:
        """The call came again, this way."""
        if self.answer:
            origin.answer(self.answer)
        elif self.origin is None or self.origin is origin:
            self.origin = origin
        else:
            self.origin = Both(self.origin, origin)

    def leave(self, origin: Origin) -> None:
        """This way back is closed."""
        if self.origin is origin:
            self.origin = None
        elif type(self.origin) is Both:
            self.origin = self.origin.without(origin)


Known = tuple[bytes, int, Entry]
"""(caller, its number for the call, what is known of it)"""


class DeduplicationTable:
    """Which calls run or have run here, per caller."""

    def __init__(self) -> None:
        self._callers: dict[bytes, dict[int, Entry]] = {}
        self._seen_at: dict[bytes, float] = {}
        self._floors: dict[bytes, int] = {}

    def of(self, caller: bytes, oldest: int, now: float) -> tuple[dict[int, Entry], int]:
        """The caller's calls, to be read and written by the host, and the number below which all are settled.

        A call below that was answered before: its message is a leftover (of a connection that broke) and
        must not run. The caller will not ask for its answer again.
        """
        calls = self._callers.get(caller)
        if calls is None:
            calls = self._callers[caller] = {}
        self._seen_at[caller] = now
        floor = self._floors.get(caller, 0)
        if oldest <= floor:
            return calls, floor
        self._floors[caller] = oldest
        # Insertion order is call order but for calls that were sent again; those go when their turn comes.
        settled = []
        for call in calls:
            if call >= oldest:
                break
            settled.append(call)
        for call in settled:
            del calls[call]
        return calls, oldest

    def restore(self, shard: Shard, answers: Collection[Answer], now: float) -> None:
        """Takes over answers that came with a shard."""
        for answer in answers:
            self._callers.setdefault(answer.caller, {})[answer.call] = Entry(shard, answer.answer)
            self._seen_at[answer.caller] = now

    def calls_of(self, shards: Collection[Shard]) -> dict[Shard, list[Known]]:
        """The calls of each of these shards, found in one look. Some may still run, and be ``answered`` later."""
        found: dict[Shard, list[Known]] = {shard: [] for shard in shards}
        for caller, calls in self._callers.items():
            for call, entry in calls.items():
                if entry.shard in found:
                    found[entry.shard].append((caller, call, entry))
        return found

    def answered(self, calls: Iterable[Known]) -> list[Answer]:
        """Those of the calls that are finished now and not forgotten, to go with their shard."""
        return [
            Answer(caller, call, entry.answer)
            for caller, call, entry in calls
            if entry.answer and self._callers.get(caller, {}).get(call) is entry
        ]

    def drop(self, shards: Collection[Shard]) -> None:
        """Forgets shards that are someone else's now."""
        for calls in self._callers.values():
            for call in [call for call, entry in calls.items() if entry.shard in shards]:
                del calls[call]

    def claim(self, caller: bytes, call: int, entry: Entry) -> bool:
        """Whether a call that was parked is to run now. Not if it turns out to run or to have run.

        While it was parked, its answer may have come with the shard, or the call a second time; then
        it is answered, or will be, by what is known.
        """
        known = self._callers.setdefault(caller, {}).setdefault(call, entry)
        if known is entry:
            return True
        if entry.origin is not None:
            known.ask_again(entry.origin)
        return False

    def forget(self, caller: bytes, call: int, entry: Entry | None) -> None:
        """The call did not run after all. If it came again and runs meanwhile, that (another entry) is remembered."""
        calls = self._callers.get(caller)
        if calls is not None and entry is not None and calls.get(call) is entry:
            del calls[call]

    def forget_silent(self, before: float) -> None:
        """Forgets callers not heard of since ``before``: their calls are all past their deadline."""
        for caller in [caller for caller, at in self._seen_at.items() if at < before]:
            del self._seen_at[caller]
            self._callers.pop(caller, None)
            self._floors.pop(caller, None)

    def __len__(self) -> int:
        return sum(map(len, self._callers.values()))
