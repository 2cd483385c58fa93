"""Counts hashtags, and votes in polls, from the events of posts; undoes reposts of deleted posts.

Counts of hashtags are public, so only public posts are counted. A change is added to the day on which the post was
created, so events may arrive in any order; each is handled once (cluster/events/consumer.py).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime

from cluster.events.consumer import Consumer
from cluster.events.event import Event
from cluster.postgres import UnitOfWork
from features.events import consumer, publish, reader
from features.posts import hashtag_store, poll_store, share_store
from features.posts.changes import publish_undone
from features.posts.events import PollCounted, PollVoted, PostCreated, PostDeleted, PostEdited, PostEvent, PostState
from features.posts.model import Audience
from features.posts.policy import PostPolicy

_UNDONE_AT_ONCE = 500

_read_vote = reader((PollVoted,))


def consumers(policy: PostPolicy, now: Callable[[], datetime]) -> list[Consumer]:
    """The consumers of this slice."""

    async def count_votes(uow: UnitOfWork, events: Sequence[Event]) -> None:
        """Counts the votes of a batch of events together: that of a poll that many vote in at once is one row."""
        post_ids = {body.post_id for event in events if (body := _read_vote(event)) is not None}
        for post_id in await poll_store.count_votes(uow, post_ids, at_once=policy.min_voters_shown):
            publish(uow, PollCounted(post_id), now())

    async def undo_reposts(uow: UnitOfWork, event: PostDeleted) -> None:
        """Deletes the reposts of a deleted post, in several transactions: there may be many."""
        while rows := await share_store.delete_of(uow, event.post_id, _UNDONE_AT_ONCE):
            for row in rows:
                publish_undone(uow, row, now())
            await uow.commit()

    return [
        consumer("posts.hashtag_counts", (PostCreated, PostEdited, PostDeleted), _count_hashtags),
        Consumer("posts.poll_counts", frozenset([PollVoted.type]), count_votes),
        consumer("posts.undo_reposts", (PostDeleted,), undo_reposts, outside=True),
    ]


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
        await hashtag_store.count_hashtags(uow, day_of(event), changes)


def _counted(state: PostEvent | PostState) -> tuple[str, ...]:
    return state.hashtags if state.audience is Audience.PUBLIC else ()
