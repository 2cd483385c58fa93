"""Updates timelines and render caches after events.

A consumer of the event log delivers posts to all readers. What must be visible before the response (a reader's own
post, a block, a deletion) is done by `after_commit`; the consumers repeat it in case that process died before. Every
operation is idempotent.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from cluster.events.consumer import Consumer
from cluster.events.event import Event
from cluster.logs import logger
from cluster.metrics import Counter
from cluster.postgres import UnitOfWork
from cluster.redis import RedisError
from features.accounts.events import AccountStateChanged
from features.events import EventBody, consumer, reader
from features.feed import store
from features.feed.invalidations import (
    InvalidationStream,
    author_invalidation,
    list_invalidation,
    post_invalidation,
    timeline_invalidation,
)
from features.feed.machine import ONLY_ME, Entry
from features.feed.policy import FeedPolicy
from features.feed.ports import Feeds, FeedsUnavailable, TimelineFailed
from features.posts.events import PostCreated, PostDeleted, PostEdited, PostEvent
from features.profiles.events import ProfileUpdated
from features.relationships.events import Blocked, CirclesChanged, Connected, Disconnected, Unblocked

DELIVERED = Counter("entativa_feed_deliveries_total", "Posts put into readers' timelines")

_POSTS = (PostCreated, PostEdited, PostDeleted)
_ALL = (*_POSTS, Connected, Disconnected, Blocked, Unblocked, CirclesChanged, ProfileUpdated, AccountStateChanged)

_OWN_POST_S = 0.3

_read = reader(_ALL)

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class FeedUpdates:
    """Applies events to timelines and render caches."""

    feeds: Feeds
    invalidations: InvalidationStream
    policy: FeedPolicy

    def consumers(self) -> list[Consumer]:
        """The consumers of this slice."""
        return [
            consumer("feeds.fanout", _POSTS, self._fan_out, outages=(FeedsUnavailable,)),
            consumer("feeds.forget", _ALL, self._consume, outages=(FeedsUnavailable,)),
            consumer(
                "feeds.account_state",
                (AccountStateChanged,),
                self._reload_readers,
                outages=(FeedsUnavailable,),
                outside=True,
            ),
        ]

    async def after_commit(self, events: Sequence[Event]) -> None:
        """Applies events that were just committed. Raises nothing: the consumers repeat what fails here."""
        for event in events:
            body = _read(event)
            if body is None:
                continue
            # Who posts while the owner of the timeline has just died waits for the next one no longer than this.
            limit = _OWN_POST_S if isinstance(body, PostCreated) else None
            try:
                async with asyncio.timeout(limit):
                    await self._apply(body)
            except (FeedsUnavailable, TimelineFailed, RedisError, OSError) as error:
                log.warning("feeds not updated after commit", event_type=event.type, error=type(error).__name__)

    async def _consume(self, _uow: UnitOfWork, event: EventBody) -> None:
        await self._apply(event)

    async def _apply(self, event: EventBody) -> None:
        match event:
            case PostEdited() | PostDeleted():
                await self.invalidations.publish(post_invalidation(event.post_id))
            case PostCreated():
                await self.feeds.put([event.author_id.bytes], entry_of(event))
            case ProfileUpdated():
                await self.invalidations.publish(author_invalidation(event.account_id))
            case Connected() | Disconnected():
                await self.feeds.forget([event.viewer_id.bytes])
            case Blocked() | Unblocked():
                await self.feeds.forget([event.blocker_id.bytes, event.blocked_id.bytes])
            case AccountStateChanged():
                # Its posts, and mentions of it, are rendered anew: now as those of somebody who is apart, or no longer.
                await self.invalidations.publish(author_invalidation(event.account_id))
                await self.feeds.forget([event.account_id.bytes])
                await self.feeds.forget_own(event.account_id.bytes)
                await self.invalidations.publish(timeline_invalidation(event.account_id.bytes))
            case CirclesChanged():
                if event.deleted_list_id:
                    await self.invalidations.publish(list_invalidation(event.deleted_list_id))
                owner = event.owner_id.bytes
                others = {reader.bytes for reader in event.reader_ids} - {owner}
                if event.owner_id in event.reader_ids:
                    await self.feeds.forget([owner])
                # Anybody can have strangers among close friends: that must not cost those their timelines.
                await self.feeds.forget_author(others, owner)

    async def _reload_readers(self, uow: UnitOfWork, event: AccountStateChanged) -> None:
        """Drops the timelines of an author's readers. Without it, one that has posts of an author who is not active
        reads them from Postgres in vain with every page; and one that was loaded meanwhile would go on without them
        after the author's return."""
        async for readers in self._readers(uow, event.account_id):
            await uow.commit()  # there may be many readers: no transaction stays open for them
            await self.feeds.forget(readers)

    async def _fan_out(self, uow: UnitOfWork, event: PostEvent) -> None:
        """Adds a post to the timelines of all readers who may see it, or removes it. Uses the post's present state,
        since events may be handled late and out of order."""
        if isinstance(event, PostEdited) and not _audience_changed(event):
            return
        entry = await store.entry(uow, event.post_id)
        if entry is None:
            await self._remove(uow, entry_of(event))
            return
        author_id = UUID(bytes=entry.author)
        size = await store.audience_size(uow, author_id)
        high_fan_out = size > self.policy.high_fan_out_above
        announced = await self.feeds.put_own(entry, high_fan_out=high_fan_out)
        await self._invalidate_head(entry.author, size)
        await self.feeds.put([entry.author], entry)
        if (announced and size > self.policy.announced_up_to) or (
            isinstance(event, PostCreated) and entry.audience == ONLY_ME
        ):
            return
        async for readers in self._readers(uow, author_id):
            if high_fan_out:
                await self.feeds.mark_high_fan_out(readers, entry.author)
            else:
                await self.feeds.put(readers, entry)
                DELIVERED.inc(len(readers))
        if high_fan_out:
            await self.feeds.announced(entry.author)

    async def _remove(self, uow: UnitOfWork, entry: Entry) -> None:
        await self.feeds.remove([entry.author], entry)
        size = await store.audience_size(uow, UUID(bytes=entry.author))
        await self._invalidate_head(entry.author, size)
        if size > self.policy.high_fan_out_above:
            # Timelines merge the author in. What one still has of earlier posts is not found when it is rendered.
            return
        async for readers in self._readers(uow, UUID(bytes=entry.author)):
            await self.feeds.remove(readers, entry)

    async def _invalidate_head(self, author: bytes, size: int) -> None:
        """Tells gateways, after the author's own timeline changed, to read it again if they have read it."""
        if size > self.policy.cached_above:
            await self.invalidations.publish(timeline_invalidation(author))

    async def _readers(self, uow: UnitOfWork, author_id: UUID) -> AsyncIterator[list[bytes]]:
        after_id, limit = UUID(int=0), self.policy.fan_out_batch
        while True:
            readers = await store.readers(uow, author_id, after_id=after_id, limit=limit)
            if readers:
                yield [reader.bytes for reader in readers]
            if len(readers) < limit:
                return
            after_id = readers[-1]


def entry_of(event: PostEvent) -> Entry:
    """Returns the timeline entry of an event's post."""
    return Entry(
        store.micros(event.created_at),
        event.post_id.bytes,
        event.author_id.bytes,
        store.BITS[event.audience],
        event.list_id.bytes if event.list_id else b"",
    )


def _audience_changed(event: PostEdited) -> bool:
    """Returns whether an edit changed the post's audience."""
    return (event.previous.audience, event.previous.list_id) != (event.audience, event.list_id)
