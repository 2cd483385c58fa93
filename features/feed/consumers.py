"""How timelines follow what happens.

Delivering a post to everybody takes a moment and is done by a consumer of the event log. What a person must see at once
(their own post; a block) and what nobody may see any longer is done by `after_commit`, after the commit and before the
answer; the consumers do it again, in case that process died in between. All of it may be done twice.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from cluster.consumers import Consumer
from cluster.event_log import Event
from cluster.logs import logger
from cluster.metrics import Counter
from cluster.postgres import UnitOfWork
from cluster.redis import RedisError
from features.feed import store
from features.feed.changes import Changes, author_changed, list_changed, post_changed
from features.feed.machine import ONLY_ME, Entry
from features.feed.policy import FeedPolicy
from features.feed.ports import Feeds, FeedsUnavailable, TimelineFailed
from features.posts.model import Audience

DELIVERED = Counter("entativa_feed_deliveries_total", "Posts put into readers' timelines")

_POSTS = frozenset({"posts.created", "posts.edited", "posts.deleted"})
_TIES = frozenset({"relationships.connected", "relationships.disconnected"})
_BLOCKS = frozenset({"relationships.blocked", "relationships.unblocked"})
_CIRCLES = frozenset({"relationships.circles_changed"})
_PROFILES = frozenset({"profiles.updated"})

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class FeedUpdates:
    """Brings what happened into the timelines."""

    feeds: Feeds
    changes: Changes
    policy: FeedPolicy

    def consumers(self) -> list[Consumer]:
        """The consumers of this slice."""
        return [
            Consumer("feeds.fanout", _POSTS, self._fan_out, outages=(FeedsUnavailable,)),
            Consumer(
                "feeds.forget",
                _POSTS | _TIES | _BLOCKS | _CIRCLES | _PROFILES,
                self._again,
                outages=(FeedsUnavailable,),
            ),
        ]

    async def after_commit(self, events: Sequence[Event]) -> None:
        """Act on events that were just committed. Never fails: what does not work now is done by the consumers."""
        for event in events:
            try:
                await self._act(event)
            except (FeedsUnavailable, TimelineFailed, RedisError, OSError) as error:
                log.warning("feeds not updated at once", event_type=event.type, error=type(error).__name__)

    async def _again(self, _uow: UnitOfWork, event: Event) -> None:
        await self._act(event)

    async def _act(self, event: Event) -> None:
        payload = event.payload
        if event.type in ("posts.edited", "posts.deleted"):
            await self.changes.announce(post_changed(UUID(payload["post_id"])))
        elif event.type == "posts.created":
            author = UUID(payload["author_id"]).bytes
            await self.feeds.put([author], entry_of(payload))
        elif event.type in _PROFILES:
            await self.changes.announce(author_changed(UUID(payload["account_id"])))
        elif event.type in _TIES:
            await self.feeds.forget([UUID(payload["viewer_id"]).bytes])
        elif event.type in _BLOCKS:
            await self.feeds.forget([UUID(payload["blocker_id"]).bytes, UUID(payload["blocked_id"]).bytes])
        elif event.type in _CIRCLES:
            if payload["deleted_list_id"]:
                await self.changes.announce(list_changed(UUID(payload["deleted_list_id"])))
            await self.feeds.forget([UUID(reader).bytes for reader in payload["reader_ids"]])

    async def _fan_out(self, uow: UnitOfWork, event: Event) -> None:
        """Bring a post into the timelines of all who may see it, or out of them. What counts is the post as it is now:
        events may be handled late and out of order."""
        if event.type == "posts.edited" and not _moved(event.payload):
            return
        entry = await store.entry(uow, UUID(event.payload["post_id"]))
        if entry is None:
            await self._take_back(uow, entry_of(event.payload))
            return
        author_id = UUID(bytes=entry.author)
        size = await store.audience_size(uow, author_id)
        heavy = size > self.policy.heavy_above
        announced = await self.feeds.put_own(entry, heavy=heavy)
        await self.feeds.put([entry.author], entry)
        if (announced and size > self.policy.told_up_to) or (
            event.type == "posts.created" and entry.audience == ONLY_ME
        ):
            return
        async for readers in self._readers(uow, author_id):
            if heavy:
                await self.feeds.grown_heavy(readers, entry.author)
            else:
                await self.feeds.put(readers, entry)
                DELIVERED.inc(len(readers))
        if heavy:
            await self.feeds.announced(entry.author)

    async def _take_back(self, uow: UnitOfWork, entry: Entry) -> None:
        await self.feeds.remove([entry.author], entry)
        async for readers in self._readers(uow, UUID(bytes=entry.author)):
            await self.feeds.remove(readers, entry)

    async def _readers(self, uow: UnitOfWork, author_id: UUID) -> AsyncIterator[list[bytes]]:
        after_id, limit = UUID(int=0), self.policy.fanout_chunk
        while True:
            readers = await store.readers(uow, author_id, after_id=after_id, limit=limit)
            if readers:
                yield [reader.bytes for reader in readers]
            if len(readers) < limit:
                return
            after_id = readers[-1]


def entry_of(payload: dict[str, Any]) -> Entry:
    """The post of an event."""
    list_id = payload["list_id"]
    return Entry(
        store.micros(datetime.fromisoformat(payload["created_at"])),
        UUID(payload["post_id"]).bytes,
        UUID(payload["author_id"]).bytes,
        store.BITS[Audience(payload["audience"])],
        UUID(list_id).bytes if list_id else b"",
    )


def _moved(payload: dict[str, Any]) -> bool:
    """Whether an edit changed whom the post is shown to."""
    previous = payload["previous"]
    return bool((previous["audience"], previous["list_id"]) != (payload["audience"], payload["list_id"]))
