"""Events between a user's live session and connections."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Item:
    """One event. `data` is packed msgpack that session, journal and data plane do not decode."""

    kind: str
    at_ms: int
    data: bytes

    @property
    def size(self) -> int:
        """The size in bytes that every limit counts."""
        return len(self.data) + len(self.kind) + 16


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive events of `stream`, the first numbered `seq`. Without items it only says that `seq - 1` is the newest
    event."""

    stream: str
    seq: int
    items: tuple[Item, ...]

    @property
    def last(self) -> int:
        return self.seq + len(self.items) - 1


@dataclass(frozen=True, slots=True)
class Replay:
    """The events after a resume point.

    `since` is the number before items[0] and `last` the newest number of the session, so `since + len(items) < last`
    means that there is more to fetch. `gap` says why the resume point could not be served ("too_old",
    "unknown_stream"); then items is empty and since == last.
    """

    stream: str
    since: int
    items: tuple[Item, ...]
    last: int
    gap: str | None = None
