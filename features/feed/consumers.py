"""Updates timelines and render caches after events.

A consumer of the event log delivers posts to all readers. What must be visible before the response (a reader's own
post, a block, a deletion) is done by `after_commit`; the consumers repeat it in case that process died before. Every
operation is idempotent.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from cluster.events.consumer import Consumer, each
from cluster.events.event import Event
from cluster.logs import logger
from cluster.metrics import Counter
from cluster.postgres import UnitOfWork
from cluster.redis import RedisError
from features.feed import store
from features.feed.invalidations import InvalidationStream, author_invalidation, list_invalidation, post_invalidation
from features.feed.machine import ONLY_ME, Entry
from features.feed.policy import FeedPolicy
from features.feed.ports import Feeds, FeedsUnavailable, TimelineFailed
from features.posts.model import Audience

DELIVERED = Counter("entativa_feed_deliveries_total", "Posts put into readers' timelines")

_POSTS = frozenset({"posts.created", "posts.edited", "posts.deleted"})
_CONNECTIONS = frozenset({"relationships.connected", "relationships.disconnected"})
_BLOCKS = frozenset({"relationships.blocked", "relationships.unblocked"})
_VISIBILITY = frozenset({"relationships.circles_changed"})
_PROFILES = frozenset({"profiles.updated"})

_OWN_POST_S = 0.3

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
            Consumer("feeds.fanout", _POSTS, each(self._fan_out), outages=(FeedsUnavailable,)),
            Consumer(
                "feeds.forget",
                _POSTS | _CONNECTIONS | _BLOCKS | _VISIBILITY | _PROFILES,
                each(self._consume),
                outages=(FeedsUnavailable,),
            ),
        ]

    async def after_commit(self, events: Sequence[Event]) -> None:
        """Applies events that were just committed. Raises nothing: the consumers repeat what fails here."""
        for event in events:
            # Who posts while the owner of the timeline has just died waits for the next one no longer than this.
            limit = _OWN_POST_S if event.type == "posts.created" else None
            try:
                async with asyncio.timeout(limit):
                    await self._apply(event)
            except (FeedsUnavailable, TimelineFailed, RedisError, OSError) as error:
                log.warning("feeds not updated after commit", event_type=event.type, error=type(error).__name__)

    async def _consume(self, _uow: UnitOfWork, event: Event) -> None:
        await self._apply(event)

    async def _apply(self, event: Event) -> None:
        payload = event.payload
        if event.type in ("posts.edited", "posts.deleted"):
            await self.invalidations.publish(post_invalidation(UUID(payload["post_id"])))
        elif event.type == "posts.created":
            author = UUID(payload["author_id"]).bytes
            await self.feeds.put([author], entry_of(payload))
        elif event.type in _PROFILES:
            await self.invalidations.publish(author_invalidation(UUID(payload["account_id"])))
        elif event.type in _CONNECTIONS:
            await self.feeds.forget([UUID(payload["viewer_id"]).bytes])
        elif event.type in _BLOCKS:
            await self.feeds.forget([UUID(payload["blocker_id"]).bytes, UUID(payload["blocked_id"]).bytes])
        elif event.type in _VISIBILITY:
            if payload["deleted_list_id"]:
                await self.invalidations.publish(list_invalidation(UUID(payload["deleted_list_id"])))
            await self.feeds.forget([UUID(reader).bytes for reader in payload["reader_ids"]])

    async def _fan_out(self, uow: UnitOfWork, event: Event) -> None:
        """Adds a post to the timelines of all readers who may see it, or removes it. Uses the post's present state,
        since events may be handled late and out of order."""
        if event.type == "posts.edited" and not _audience_changed(event.payload):
            return
        entry = await store.entry(uow, UUID(event.payload["post_id"]))
        if entry is None:
            await self._remove(uow, entry_of(event.payload))
            return
        author_id = UUID(bytes=entry.author)
        size = await store.audience_size(uow, author_id)
        high_fan_out = size > self.policy.high_fan_out_above
        announced = await self.feeds.put_own(entry, high_fan_out=high_fan_out)
        await self.feeds.put([entry.author], entry)
        if (announced and size > self.policy.announced_up_to) or (
            event.type == "posts.created" and entry.audience == ONLY_ME
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
        async for readers in self._readers(uow, UUID(bytes=entry.author)):
            await self.feeds.remove(readers, entry)

    async def _readers(self, uow: UnitOfWork, author_id: UUID) -> AsyncIterator[list[bytes]]:
        after_id, limit = UUID(int=0), self.policy.fan_out_batch
        while True:
            readers = await store.readers(uow, author_id, after_id=after_id, limit=limit)
            if readers:
                yield [reader.bytes for reader in readers]
            if len(readers) < limit:
                return
            after_id = readers[-1]


def entry_of(payload: dict[str, Any]) -> Entry:
    """Returns the timeline entry of an event's post."""
    list_id = payload["list_id"]
    return Entry(
        store.micros(datetime.fromisoformat(payload["created_at"])),
        UUID(payload["post_id"]).bytes,
        UUID(payload["author_id"]).bytes,
        store.BITS[Audience(payload["audience"])],
        UUID(list_id).bytes if list_id else b"",
    )


def _audience_changed(payload: dict[str, Any]) -> bool:
    """Returns whether an edit changed the post's audience."""
    previous = payload["previous"]
    return bool((previous["audience"], previous["list_id"]) != (payload["audience"], payload["list_id"]))
