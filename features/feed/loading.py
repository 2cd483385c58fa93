"""A timeline from Postgres. Stores are private to their slice; this is the door for whoever hosts timelines."""

from uuid import UUID

from cluster.postgres import UnitOfWork
from features.feed import store
from features.feed.machine import EVERYTHING, Rights, Timeline
from features.feed.policy import FeedPolicy


async def reader_timeline(uow: UnitOfWork, timeline: Timeline, reader_id: UUID, policy: FeedPolicy) -> None:
    """What belongs to a reader's feed now, in two statements."""
    rights = await store.rights(uow, reader_id, heavy_above=policy.merged_above)
    timeline.load(rights, await store.entries(uow, reader_id, limit=policy.kept + 1), policy.kept)


async def author_timeline(uow: UnitOfWork, timeline: Timeline, author_id: UUID, policy: FeedPolicy) -> None:
    """All of an author's own newest posts, in one statement."""
    entries = await store.own_entries(uow, author_id, limit=policy.kept + 1)
    timeline.load(Rights({author_id.bytes: EVERYTHING}), entries, policy.kept)
