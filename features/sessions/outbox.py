"""The outbound sequence of one user: numbered events, bounded, from which any connection can resume.

Numbers never go back. They are valid within a stream: when it cannot be ruled out that numbers were given
to other events before, because the state was loaded from its journal, the outbox goes on under a new stream
name (it forks) and remembers up to which number each older stream is a prefix of this one.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from features.realtime.events import Batch, Item, Replay
from features.sessions.policy import SessionPolicy

_MAX_FORKS = 16


class AheadOfOutbox(Exception):
    """A resume point that names an event which was never sent."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One journaled event. `key` identifies it to the pusher: the same key is not accepted twice."""

    seq: int
    stream: str
    key: str
    item: Item


class Outbox:
    """A bounded buffer of the newest events. Pure: time is an argument, stream names come from outside."""

    def __init__(self, stream: str, policy: SessionPolicy) -> None:
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
        policy: SessionPolicy,
        last: int,
        forks: dict[str, int],
        entries: Iterable[Entry],
    ) -> "Outbox":
        """The outbox behind a journal, to go on as the stream `stream` (a new one after a crash).

        `last` and `forks` are as journaled; `entries` ascend in number. Entries before a hole in the
        numbers are useless for a resume and dropped.
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
        """The number of the oldest event that is still here, `last + 1` if there is none."""
        return self._entries[0].seq if self._entries else self.last + 1

    def push(self, item: Item, key: str) -> int | None:
        """Numbers and keeps an event; its number, or None where the key is known already."""
        if key and key in self._keys:
            return None
        self.last += 1
        self._append(Entry(self.last, self.stream, key, item))
        while len(self._entries) > self._policy.outbox_events or self.bytes > self._policy.outbox_bytes:
            self._drop_oldest()
        return self.last

    def expire(self, now: float) -> None:
        """Drops the events that are older than the policy keeps. `now` in seconds since 1970."""
        horizon = (now - self._policy.outbox_age_s) * 1000
        while self._entries and self._entries[0].item.at_ms < horizon:
            self._drop_oldest()

    def entries(self, first: int) -> tuple[Entry, ...]:
        """The entries from number `first` on (those that are still here)."""
        skip = max(0, first - self.first)
        return tuple(self._entries[i] for i in range(skip, len(self._entries)))

    def batch(self, first: int) -> Batch:
        """Everything from number `first` on, as it is pushed to connections."""
        entries = self.entries(first)
        return Batch(self.stream, self.last + 1 - len(entries), tuple(entry.item for entry in entries))

    def since(self, stream: str, seq: int) -> Replay:
        """What follows event `seq` of `stream`. Raises AheadOfOutbox for a number that was never given."""
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
