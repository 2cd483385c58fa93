"""Updates timelines and render caches after events.

A consumer of the event log delivers posts to all readers. What must be visible before the response (a reader's own
post, a block, a deletion) is done by `after_commit`; the consumers repeat it in case that process died before. Every
operation is idempotent.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from cluster.events.consumer import Consumer, each
from cluster.events.event import Event
from cluster.logs import logger
from cluster.metrics import Counter
from cluster.postgres import UnitOfWork
from cluster.redis import RedisError
from features.accounts.events import AccountStateChanged
from features.collections.events import PostSaved, PostUnsaved
from features.events import EventBody, consumer, reader
from features.feed import store
from features.feed.invalidations import (
    InvalidationStream,
    author_invalidation,
    list_invalidation,
    marks_invalidation,
    poll_invalidation,
    post_invalidation,
    timeline_invalidation,
)
from features.feed.machine import ONLY_ME, Entry
from features.feed.policy import FeedPolicy
from features.feed.ports import Feeds, FeedsUnavailable, TimelineFailed
from features.posts.events import (
    LinkPreviewed,
    MediaUpdated,
    PollCounted,
    PostCreated,
    PostDeleted,
    PostEdited,
    PostEvent,
    PostPinned,
    PostShared,
    PostUnpinned,
    PostUnshared,
    Voted,
)
from features.posts.model import ShareKind
from features.profiles.events import ProfileUpdated
from features.relationships.events import Blocked, CirclesChanged, Connected, Disconnected, Unblocked

DELIVERED = Counter("entativa_feed_deliveries_total", "Posts put into readers' timelines")

_POSTS = (PostCreated, PostEdited, PostDeleted)
_REPEATED = (
    PostEdited,
    PostDeleted,
    PostPinned,
    PostUnpinned,
    PostShared,
    PostUnshared,
    PostSaved,
    PostUnsaved,
    Voted,
    PollCounted,
    LinkPreviewed,
    MediaUpdated,
    Connected,
    Disconnected,
    Blocked,
    Unblocked,
    CirclesChanged,
    ProfileUpdated,
    AccountStateChanged,
)
"""What `feeds.forget` repeats. (A new post is put into its author's timeline by the fan-out, too.)"""

_OWN_POST_S = 0.3

_FIRST_READERS = 200
"""Read with each post of a batch, in one statement; further readers of an author in statements of their own."""

_LOWEST = UUID(int=0)

_read = reader((PostCreated, *_REPEATED))
_read_post = reader(_POSTS)

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
            Consumer(
                "feeds.fanout", frozenset(body.type for body in _POSTS), self._fan_out_all, outages=(FeedsUnavailable,)
            ),
            consumer("feeds.forget", _REPEATED, self._consume, outages=(FeedsUnavailable,)),
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
            case PostEdited() | PostDeleted() | PostPinned() | PostUnpinned() | LinkPreviewed() | MediaUpdated():
                await self.invalidations.publish(post_invalidation(event.post_id))
            case PostCreated():
                await self.feeds.put_at_once(event.author_id.bytes, entry_of(event))
            case PostShared(kind=ShareKind.REPOST) | PostUnshared(kind=ShareKind.REPOST):
                await self.invalidations.publish(marks_invalidation(event.account_id))
            case PostSaved() | PostUnsaved() | Voted():
                await self.invalidations.publish(marks_invalidation(event.account_id))
            case PollCounted():
                await self.invalidations.publish(poll_invalidation(event.post_id))
            case ProfileUpdated():
                await self.invalidations.publish(author_invalidation(event.account_id))
            case Connected() | Disconnected():
                await self.feeds.forget([event.viewer_id.bytes])
            case Blocked() | Unblocked():
                # A quote of one by the other is rendered anew: without the quoted post, or with it again.
                await self.invalidations.publish(author_invalidation(event.blocker_id))
                await self.invalidations.publish(author_invalidation(event.blocked_id))
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

    async def _fan_out_all(self, uow: UnitOfWork, events: Sequence[Event]) -> None:
        """Delivers the posts of a batch of events, by their present state, since events may be handled late and out of
        order. That is read by one statement for all."""
        bodies = {event.id: body for event in events if (body := _read_post(event)) is not None}
        post_ids = {body.post_id for body in bodies.values()}
        deliveries = await store.deliveries(uow, post_ids, readers=_FIRST_READERS)

        async def fan_out(uow: UnitOfWork, event: Event) -> None:
            body = bodies[event.id]
            await self._fan_out(uow, body, deliveries.get(body.post_id))

        await each(fan_out)(uow, events)

    async def _fan_out(self, uow: UnitOfWork, event: PostEvent, delivery: store.Delivery | None) -> None:
        """Adds a post to the timelines of all readers who may see it, or removes it."""
        if isinstance(event, PostEdited) and not _audience_changed(event):
            return
        if delivery is None:
            await self._remove(uow, entry_of(event))
            return
        entry, readers = delivery.entry, delivery.first_readers
        only_author = isinstance(event, PostCreated) and entry.audience == ONLY_ME
        if delivery.audience_size > self.policy.high_fan_out_above:
            await self._announce(uow, delivery, only_author=only_author)
            return
        first = [] if only_author else [reader.bytes for reader in readers]
        await asyncio.gather(self._put_own(delivery, high_fan_out=False), self.feeds.put([entry.author, *first], entry))
        DELIVERED.inc(len(first))
        if len(first) == _FIRST_READERS:
            async for more in self._readers(uow, UUID(bytes=entry.author), after_id=readers[-1]):
                await self.feeds.put(more, entry)
                DELIVERED.inc(len(more))

    async def _announce(self, uow: UnitOfWork, delivery: store.Delivery, *, only_author: bool) -> None:
        """Puts a post into the timeline that readers merge in, and tells them to, unless they know."""
        entry = delivery.entry
        announced = await self._put_own(delivery, high_fan_out=True)
        await self.feeds.put([entry.author], entry)
        if only_author or (announced and delivery.audience_size > self.policy.announced_up_to):
            return
        async for readers in self._readers(uow, UUID(bytes=entry.author)):
            await self.feeds.mark_high_fan_out(readers, entry.author)
        await self.feeds.announced(entry.author)

    async def _put_own(self, delivery: store.Delivery, *, high_fan_out: bool) -> bool:
        """Puts a post into its author's own timeline. Returns whether readers know that they merge that in."""
        announced = await self.feeds.put_own(delivery.entry, high_fan_out=high_fan_out)
        await self._invalidate_head(delivery.entry.author, delivery.audience_size)
        return announced

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

    async def _readers(
        self, uow: UnitOfWork, author_id: UUID, *, after_id: UUID = _LOWEST
    ) -> AsyncIterator[list[bytes]]:
        limit = self.policy.fan_out_batch
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
