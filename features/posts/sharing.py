"""Quotes and reposts: posts that show another post.

Only public posts are shared. Whether a reader sees what is shared is decided for that reader whenever it is read
(views.py): by the shared post's present audience, and by who is apart from whom.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cluster.ids import new_id
from cluster.postgres import UnitOfWork
from features.bounded_lists import page_until
from features.paging import Page
from features.posts import share_store, store
from features.posts.changes import publish_created, publish_deleted
from features.posts.errors import NoSuchPost, NotShareable
from features.posts.model import Audience, PostView, Reposter, SharedContent
from features.posts.poll_views import poll_views
from features.posts.views import Row, mentioned, shared_content, view_cursor, views, views_naming
from features.profiles.service import ProfileService
from features.sealed_cursors import SealedCursors, SealedPageRequest


@dataclass(frozen=True, slots=True)
class Shares:
    """Operations on reposts, and what quotes have in common with them."""

    profiles: ProfileService
    cursors: SealedCursors

    async def shareable(self, uow: UnitOfWork, post_id: UUID, account_id: UUID) -> Row:
        """Returns a post that the account may share; of a repost, the post that it shows. Raises NoSuchPost,
        NotShareable."""
        row = await store.find(uow, post_id, account_id)
        if row is not None and row["is_repost"]:
            row = await store.find(uow, UUID(row["shared_id"]), account_id)
        if row is None:
            raise NoSuchPost
        if row["audience"] != Audience.PUBLIC:
            raise NotShareable
        return row

    async def repost(self, uow: UnitOfWork, post_id: UUID, account_id: UUID, now: datetime) -> PostView:
        """Reposts a post, once. Raises NoSuchPost, NotShareable; AlreadyReposted, which the commit raises."""
        row = await self.shareable(uow, post_id, account_id)
        reposted_id = UUID(row["id"])
        if (existing := await share_store.find(uow, account_id, reposted_id)) is not None:
            return (await views(uow, account_id, [existing], now))[0]
        author, _ = await self.profiles.resolve_for(uow, account_id, [])
        draft = store.Draft("", [], [], Audience.PUBLIC, None, {}, None, None, [])
        repost = {**store.new_row(new_id(now), author, draft, now), "shared_id": row["id"], "is_repost": True}
        share_store.insert(uow, UUID(repost["id"]), account_id, reposted_id, now)
        await publish_created(uow, repost, now)
        content = await self.content(uow, row, account_id, now)
        content["reposted"] = True
        content["reposts"] += 1
        return views_naming([repost], {}, {}, {(row["id"], str(account_id)): content})[0]

    async def content(self, uow: UnitOfWork, row: Row, viewer_id: UUID, now: datetime) -> SharedContent:
        """Returns a post as the viewer, who may see it, sees it in one that shares it."""
        usernames = await mentioned(uow, viewer_id, [row["entities"]])
        polls = await poll_views(uow, viewer_id, {row["id"]: row["poll"]} if row["poll"] else {}, now)
        return shared_content(row, usernames, polls)

    async def reposters(
        self, uow: UnitOfWork, post_id: UUID, viewer_id: UUID | None, asked: SealedPageRequest
    ) -> Page[Reposter]:
        """Returns who has reposted a post, the last one first, without those who are apart from the viewer. Raises
        BadCursor, NoSuchPost."""
        cursors = self.cursors.of(f"reposts {post_id}")
        page = cursors.open(asked)
        if not await store.visible(uow, post_id, viewer_id):
            raise NoSuchPost
        found = await share_store.reposters(uow, post_id, viewer_id, page)
        reposters = [share_store.reposter_of(row) for row in found.rows]
        return page_until(reposters, page.limit, Reposter.cursor, found.cursor, cursors)

    async def quotes(
        self, uow: UnitOfWork, post_id: UUID, viewer_id: UUID | None, asked: SealedPageRequest, now: datetime
    ) -> Page[PostView]:
        """Returns the posts that quote a post, newest first, as far as the viewer may see them and what they quote.
        Raises BadCursor, NoSuchPost."""
        cursors = self.cursors.of(f"quotes {post_id}")
        page = cursors.open(asked)
        row = await store.find(uow, post_id, viewer_id)
        if row is None:
            raise NoSuchPost
        found = await share_store.quotes(uow, post_id, UUID(row["author_id"]), viewer_id, page)
        posts = await views(uow, viewer_id, found.rows, now)
        return page_until(posts, page.limit, view_cursor, found.cursor, cursors)

    async def undo(self, uow: UnitOfWork, post_id: UUID, account_id: UUID, now: datetime) -> None:
        """Deletes the account's repost of a post, if there is one."""
        row = await share_store.find(uow, account_id, post_id)
        if row is not None and await store.delete(uow, UUID(row["id"]), account_id):
            await publish_deleted(uow, row, now)


async def undo_between(uow: UnitOfWork, one: UUID, other: UUID, now: datetime) -> None:
    """Deletes what two people have reposted of each other: one has blocked the other."""
    for row in await share_store.delete_between(uow, one, other):
        await publish_deleted(uow, row, now)
