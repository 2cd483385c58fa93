"""The outbox of one user: a bounded sequence of numbered events from which any connection can resume.

Numbers never decrease and are valid within a stream. An outbox loaded from its journal may reuse numbers that the lost
process had given to other events, so it continues under a new stream name (a fork) and records up to which number each
older stream is a prefix of this one.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from features.live_sessions.policy import LiveSessionPolicy
from features.realtime.events import Batch, Item, Replay

_MAX_FORKS = 16


class AheadOfOutbox(Exception):
    """A resume point names an event that was never sent."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One journaled event. `key` is the pusher's id for it: the same key is not accepted twice."""

    seq: int
    stream: str
    key: str
    item: Item


class Outbox:
    """A bounded buffer of the newest events. Pure: time is an argument, stream names come from outside."""

    def __init__(self, stream: str, policy: LiveSessionPolicy) -> None:
        self.stream = stream
        self.last = 0
        """The number of the newest event, 0 before the first."""
        self.bytes = 0
        self.forks: dict[str, int] = {}
        """Older stream -> the last number it shares with this one."""
        self._policy = policy
        self._entries: deque[Entry] = deque()
        self._keys: set[str] = set()

    @classmethod
    def load(
        cls,
        stream: str,
        policy: LiveSessionPolicy,
        last: int,
        forks: dict[str, int],
        entries: Iterable[Entry],
    ) -> "Outbox":
        """Returns the outbox of a journal, continued as the stream `stream` (a new name after a crash).

        `last` and `forks` are as journaled; `entries` ascend in number. Entries before a gap in the numbers cannot
        serve a resume and are dropped.
        """
        outbox = cls(stream, policy)
        for entry in entries:
            if entry.seq > last:
                break
            if outbox._entries and entry.seq != outbox._entries[-1].seq + 1:
                outbox._clear()
            outbox._append(entry)
        if outbox._entries and outbox._entries[-1].seq != last:
            outbox._clear()
        outbox.last = last
        older = [(entry.stream, entry.seq) for entry in outbox._entries if entry.stream != stream]
        outbox.forks = {**forks, **dict(older)}
        outbox.forks.pop(stream, None)
        outbox._forget_forks()
        return outbox

    @property
    def first(self) -> int:
        """The number of the oldest event kept, `last + 1` if there is none."""
        return self._entries[0].seq if self._entries else self.last + 1

    def push(self, item: Item, key: str) -> int | None:
        """Appends an event. Returns its number, or None if its key is known already."""
        if key and key in self._keys:
            return None
        self.last += 1
        self._append(Entry(self.last, self.stream, key, item))
        while len(self._entries) > self._policy.outbox_events or self.bytes > self._policy.outbox_bytes:
            self._drop_oldest()
        return self.last

    def break_off(self) -> None:
        """Drops all events and skips a number: nobody can resume from before it."""
        self._clear()
        self.last += 1

    def expire(self, now: float) -> None:
        """Drops events older than the policy keeps. `now` is in seconds since 1970."""
        horizon = (now - self._policy.outbox_age_s) * 1000
        while self._entries and self._entries[0].item.at_ms < horizon:
            self._drop_oldest()

    def entries(self, first: int) -> tuple[Entry, ...]:
        """Returns the kept entries from number `first` on."""
        skip = max(0, first - self.first)
        return tuple(self._entries[i] for i in range(skip, len(self._entries)))

    def batch(self, first: int) -> Batch:
        """Returns the events from number `first` on as one batch for connections."""
        entries = self.entries(first)
        return Batch(self.stream, self.last + 1 - len(entries), tuple(entry.item for entry in entries))

    def since(self, stream: str, seq: int) -> Replay:
        """Returns the events after event `seq` of `stream`. Raises AheadOfOutbox for a number that was never given."""
        if stream != self.stream and seq > self.forks.get(stream, -1):
            return self._gap("unknown_stream")
        if seq > self.last:
            raise AheadOfOutbox(f"event {seq} was never sent, the last one is {self.last}")
        if seq < self.first - 1:
            return self._gap("too_old")
        items: list[Item] = []
        size = 0
        for index in range(seq + 1 - self.first, len(self._entries)):
            item = self._entries[index].item
            size += item.size
            if items and (size > self._policy.replay_bytes or len(items) >= self._policy.replay_events):
                break
            items.append(item)
        return Replay(self.stream, seq, tuple(items), self.last)

    def _gap(self, reason: str) -> Replay:
        return Replay(self.stream, self.last, (), self.last, reason)

    def _append(self, entry: Entry) -> None:
        self._entries.append(entry)
        self.bytes += entry.item.size
        if entry.key:
            self._keys.add(entry.key)

    def _drop_oldest(self) -> None:
        entry = self._entries.popleft()
        self.bytes -= entry.item.size
        self._keys.discard(entry.key)

    def _clear(self) -> None:
        while self._entries:
            self._drop_oldest()

    def _forget_forks(self) -> None:
        while len(self.forks) > _MAX_FORKS:
            del self.forks[next(iter(self.forks))]
