"""The timeline entity: dispatches messages to the machine in features/feed.

An entity's id is the reader's account id (32 hexadecimal digits), or `author:` and the id of a high-fan-out author. A
message is a list that starts with the name of the operation; `_OPERATIONS` lists them all. Ids in messages are 16
bytes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from actors.runtime import Effect, Reply, Value
from features.feed.machine import EVERYTHING, Entry, Timeline, TimelinePage, split_ids

KIND_NAME = "feeds"
AUTHOR = "author:"


@dataclass(frozen=True, slots=True)
class Load:
    """Load the timeline from Postgres."""


class FeedEntity:
    """One timeline. It is loaded at the first read; deliveries before that have no effect."""

    __slots__ = ("timeline",)

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline

    def receive(self, message: Value, now: float) -> list[Effect]:
        """Executes one operation."""
        return _OPERATIONS[message[0]](self.timeline, *message[1:])

    def snapshot(self) -> Value:
        """Returns everything: a shard that moves keeps its timelines."""
        return self.timeline.snapshot()


def page(
    timeline: Timeline,
    limit: int,
    after: list[Any] | None = None,
    audiences: int = EVERYTHING,
    times: bool = False,
) -> list[Effect]:
    """Replies with a page, or with None while the timeline is being loaded: call again."""
    if not timeline.loaded:
        return [Load(), Reply(None)]
    found = timeline.page((after[0], after[1]) if after else None, limit, audiences)
    return [Reply(page_to_wire(found, times=times))]


def put(timeline: Timeline, *entry: Any) -> list[Effect]:
    timeline.put(Entry(*entry))
    return []


def put_own(timeline: Timeline, high_fan_out: bool, *entry: Any) -> list[Effect]:
    """Adds to an author's own timeline. Replies whether it was announced since the author has a high fan-out."""
    timeline.put(Entry(*entry))
    timeline.announced = timeline.announced and high_fan_out
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


def forget_author(timeline: Timeline, author: bytes) -> list[Effect]:
    timeline.forget_author(author)
    return []


def mark_high_fan_out(timeline: Timeline, author: bytes) -> list[Effect]:
    timeline.mark_high_fan_out(author)
    return []


_OPERATIONS: dict[str, Callable[..., list[Effect]]] = {
    operation.__name__: operation
    for operation in (page, put, put_own, announced, remove, forget, forget_author, mark_high_fan_out)
}


def page_to_wire(page: TimelinePage, *, times: bool = False) -> Value:
    """Encodes a TimelinePage for the runtime, with concatenated ids, and with the times if they are wanted. Lists and
    blocks that are too many are None: gateways of the version before fail on that, where an empty value would let them
    show posts and names to people who are apart."""
    return [
        b"".join(page.ids),
        page.rights,
        page.last,
        page.exhausted,
        page.truncated,
        None if page.lists is None else b"".join(page.lists),
        None if page.blocked is None else b"".join(page.blocked),
        list(page.high_fan_out.items()),
        list(page.times) if times else None,
    ]


def page_from_wire(value: Value) -> TimelinePage:
    """Decodes what page_to_wire encoded."""
    ids, rights, last, exhausted, truncated, lists, blocked, high_fan_out, times = value
    return TimelinePage(
        split_ids(ids),
        rights,
        (last[0], last[1]) if last else None,
        exhausted,
        truncated,
        None if lists is None else frozenset(split_ids(lists)),
        None if blocked is None else frozenset(split_ids(blocked)),
        dict(high_fan_out),
        times or (),
    )
