"""Decisions about the feed."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.feed import store
from features.feed.consumers import FeedUpdates
from features.feed.home import HomeFeed
from features.feed.policy import FeedPolicy
from features.paging import Page, PageRequest, page_of
from features.posts.model import PostView
from features.posts.views import view_cursor, views


@dataclass(frozen=True, slots=True)
class FeedService:
    """The home feed. Without timelines in memory `home` and `updates` are None, and every page comes from Postgres."""

    policy: FeedPolicy
    home: HomeFeed | None = None
    updates: FeedUpdates | None = None

    async def newest(self, uow: UnitOfWork, viewer_id: UUID, page: PageRequest, now: datetime) -> Page[PostView]:
        """Returns the posts of the viewer and of the viewer's connections, newest first, from Postgres."""
        rows = await store.newest(uow, viewer_id, page)
        return page_of(await views(uow, viewer_id, rows, now), page.limit, view_cursor)
