"""Counts hashtags from the events of posts.

The counts are public, so only public posts are counted. A change is added to the day on which the post was created, so
events may arrive in any order; each is handled once (cluster/consumers.py).
"""

from collections import Counter
from datetime import UTC, date

from cluster.events.consumer import Consumer
from cluster.postgres import UnitOfWork
from features.events import consumer
from features.posts import store
from features.posts.events import PostCreated, PostDeleted, PostEdited, PostEvent, PostState
from features.posts.model import Audience


def consumers() -> list[Consumer]:
    """The consumers of this slice."""
    return [consumer("posts.hashtag_counts", (PostCreated, PostEdited, PostDeleted), _count_hashtags)]


def hashtag_changes(event: PostEvent) -> dict[str, int]:
    """Returns by how much an event changes the number of public posts with each hashtag, without zeros."""
    changes: Counter[str] = Counter()
    if isinstance(event, PostDeleted):
        changes.subtract(_counted(event))
    else:
        changes.update(_counted(event))
    if isinstance(event, PostEdited):
        changes.subtract(_counted(event.previous))
    return {tag: change for tag, change in changes.items() if change}


def day_of(event: PostEvent) -> date:
    """Returns the day (UTC) on which the post of an event was created."""
    return event.created_at.astimezone(UTC).date()


async def _count_hashtags(uow: UnitOfWork, event: PostEvent) -> None:
    if changes := hashtag_changes(event):
        await store.count_hashtags(uow, day_of(event), changes)


def _counted(state: PostEvent | PostState) -> tuple[str, ...]:
    return state.hashtags if state.audience is Audience.PUBLIC else ()
