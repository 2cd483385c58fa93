"""Decisions about the feed."""

from dataclasses import dataclass
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.feed import store
from features.feed.policy import FeedPolicy
from features.paging import Page, PageRequest, page_of
from features.posts.model import PostView
from features.posts.service import PostService
from features.posts.views import view_cursor, views


@dataclass(frozen=True, slots=True)
class FeedService:
    """The feed of one person."""

    policy: FeedPolicy
    posts: PostService

    async def newest(self, uow: UnitOfWork, viewer_id: UUID, page: PageRequest) -> Page[PostView]:
        """One's own posts and those of one's ties, newest first."""
        rows = await store.newest(uow, viewer_id, page)
        return page_of(await views(uow, viewer_id, rows), page.limit, view_cursor)
