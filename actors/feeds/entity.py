"""The feed entity: messages of the runtime to the timeline in features/feed.

An entity's id is the reader's account id (32 hexadecimal digits), or `author:` and that of a heavy author. A message is
a list that starts with the name of the operation; `_OPERATIONS` lists them all. Ids in messages are 16 bytes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from actors.runtime import Effect, Reply, Value
from features.feed.machine import EVERYTHING, Entry, Page, Timeline, split_ids

KIND_NAME = "feeds"
AUTHOR = "author:"


@dataclass(frozen=True, slots=True)
class Load:
    """Read the timeline from Postgres."""


class FeedEntity:
    """One timeline. It is loaded when somebody first reads it; what is delivered before does nothing."""

    __slots__ = ("timeline",)

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline

    @classmethod
    def create(cls, _entity_id: str) -> "FeedEntity":
        """A timeline of which nothing is known."""
        return cls(Timeline())

    def receive(self, message: Value, now: float) -> list[Effect]:
        """One operation."""
        return _OPERATIONS[message[0]](self.timeline, *message[1:])

    def snapshot(self) -> Value:
        """Everything: a shard that moves keeps its timelines."""
        return self.timeline.snapshot()

    @classmethod
    def restore(cls, _entity_id: str, version: int, snapshot: Value) -> "FeedEntity":
        """Raises ValueError for a version that was never written."""
        return cls(Timeline.restore(version, snapshot))


def page(timeline: Timeline, limit: int, after: list[Any] | None = None, audiences: int = EVERYTHING) -> list[Effect]:
    """Replies with a page, or None when the timeline is only being loaded: ask again."""
    if not timeline.loaded:
        return [Load(), Reply(None)]
    return [Reply(page_to_wire(timeline.page((after[0], after[1]) if after else None, limit, audiences)))]


def put(timeline: Timeline, *entry: Any) -> list[Effect]:
    timeline.put(Entry(*entry))
    return []


def put_own(timeline: Timeline, heavy: bool, *entry: Any) -> list[Effect]:
    """Of an author's timeline; replies whether it was announced since the author is heavy."""
    timeline.put(Entry(*entry))
    timeline.announced = timeline.announced and heavy
    return [Reply(timeline.announced)]


def announced(timeline: Timeline) -> list[Effect]:
    timeline.announced = True
    return []


def remove(timeline: Timeline, at: int, id: bytes) -> list[Effect]:
    timeline.remove((at, id))
    return []


def forget(timeline: Timeline) -> list[Effect]:
    timeline.forget()
    return []


def grown_heavy(timeline: Timeline, author: bytes) -> list[Effect]:
    timeline.grown_heavy(author)
    return []


_OPERATIONS: dict[str, Callable[..., list[Effect]]] = {
    operation.__name__: operation for operation in (page, put, put_own, announced, remove, forget, grown_heavy)
}


def page_to_wire(page: Page) -> Value:
    """A Page as the runtime carries it: ids of 16 bytes in a row."""
    return [
        b"".join(page.ids),
        page.rights,
        page.last,
        page.whole,
        page.older,
        b"".join(page.lists),
        b"".join(page.parted),
        list(page.heavy.items()),
    ]


def page_from_wire(value: Value) -> Page:
    """The inverse of page_to_wire."""
    ids, rights, last, whole, older, lists, parted, heavy = value
    return Page(
        split_ids(ids),
        rights,
        (last[0], last[1]) if last else None,
        whole,
        older,
        frozenset(split_ids(lists)),
        frozenset(split_ids(parted)),
        dict(heavy),
    )
