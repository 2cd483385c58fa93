"""Loads timelines from Postgres, for the hosts of timelines (stores are private to their slice)."""

from uuid import UUID

from cluster.postgres import UnitOfWork
from features.feed import store
from features.feed.machine import EVERYTHING, Rights, Timeline
from features.feed.policy import FeedPolicy


async def reader_timeline(uow: UnitOfWork, timeline: Timeline, reader_id: UUID, policy: FeedPolicy) -> None:
    """Loads a reader's timeline, in two statements."""
    rights = await store.rights(uow, reader_id, policy)
    timeline.load(rights, await store.entries(uow, reader_id, limit=policy.max_posts + 1), policy.max_posts)


async def author_timeline(uow: UnitOfWork, timeline: Timeline, author_id: UUID, policy: FeedPolicy) -> None:
    """Loads an author's own newest posts, in one statement."""
    entries = await store.own_entries(uow, author_id, limit=policy.max_posts + 1)
    timeline.load(Rights({author_id.bytes: EVERYTHING}), entries, policy.max_posts)
