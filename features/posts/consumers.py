"""Counts hashtags from the events of posts.

The counts are public, so only public posts are counted. A change is added to the day on which the post was created, so
events may arrive in any order; each is handled once (cluster/consumers.py).
"""

from collections import Counter
from datetime import UTC, date, datetime
from typing import Any

from cluster.events.consumer import Consumer, each
from cluster.events.event import Event
from cluster.postgres import UnitOfWork
from features.posts import store
from features.posts.model import Audience


def consumers() -> list[Consumer]:
    """The consumers of this slice."""
    return [
        Consumer(
            "posts.hashtag_counts",
            frozenset({"posts.created", "posts.edited", "posts.deleted"}),
            each(_count_hashtags),
        )
    ]


def hashtag_changes(event: Event) -> dict[str, int]:
    """Returns by how much an event changes the number of public posts with each hashtag, without zeros."""
    counted, payload = _counted(event.payload), event.payload
    changes: Counter[str] = Counter()
    if event.type == "posts.deleted":
        changes.subtract(counted)
    else:
        changes.update(counted)
        changes.subtract(_counted(payload.get("previous")))
    return {tag: change for tag, change in changes.items() if change}


def day_of(event: Event) -> date:
    """Returns the day (UTC) on which the post of an event was created."""
    return datetime.fromisoformat(event.payload["created_at"]).astimezone(UTC).date()


async def _count_hashtags(uow: UnitOfWork, event: Event) -> None:
    if changes := hashtag_changes(event):
        await store.count_hashtags(uow, day_of(event), changes)


def _counted(state: dict[str, Any] | None) -> list[str]:
    return list(state["hashtags"]) if state and state["audience"] == Audience.PUBLIC else []
