"""Events on their way from a user's session entity to connections."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Item:
    """One event: `data` is packed msgpack, opaque on its way through entity, journal and data plane."""

    kind: str
    at_ms: int
    data: bytes

    @property
    def size(self) -> int:
        """Bytes this event counts for in every limit."""
        return len(self.data) + len(self.kind) + 16


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive events of `stream`, the first numbered `seq`. Without items: news of what the last is."""

    stream: str
    seq: int
    items: tuple[Item, ...]

    @property
    def last(self) -> int:
        return self.seq + len(self.items) - 1


@dataclass(frozen=True, slots=True)
class Replay:
    """The entity's answer to "what comes after this point?".

    `since` is the number before items[0] and `last` the newest number the entity has given out, so
    `since + len(items) < last` says that there is more to ask for. A `gap` names why the point asked for
    could not be resumed ("too_old", "unknown_stream"); then items is empty and since == last.
    """

    stream: str
    since: int
    items: tuple[Item, ...]
    last: int
    gap: str | None = None
