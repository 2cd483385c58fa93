"""Converts rows to stories as one reader sees them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.counters import queries
from features.counters.model import VIEWERS, reactions_view
from features.media.service import MediaService
from features.paging import Cursor, Page, PageRequest, page_of
from features.posts.model import Attachment
from features.posts.views import author_of, mentioned
from features.stories.mentions import mention_views
from features.stories.model import StoryMediaView, StoryView
from features.stories.settings import ReplyAudience, may_reply
from features.stories.store import Row


@dataclass(frozen=True, slots=True)
class StoryViews:
    """Converts rows to stories as one reader sees them."""

    media: MediaService
    replies: ReplyAudience
    """Whose replies authors take who have not chosen."""

    async def page(
        self, uow: UnitOfWork, rows: Sequence[Row], viewer_id: UUID | None, page: PageRequest, now: datetime
    ) -> Page[StoryView]:
        """Converts up to `limit + 1` rows to a page of stories. Costs one statement if a story mentions somebody."""
        paged = page_of(rows, page.limit, lambda row: Cursor(row["created_at"], UUID(row["id"])))
        return Page(await self.each(uow, paged.items, viewer_id, now), paged.next_cursor)

    async def one(self, uow: UnitOfWork, row: Row, viewer_id: UUID | None, now: datetime) -> StoryView:
        """Converts a row to a story. Costs one statement if it mentions somebody, otherwise none."""
        [story] = await self.each(uow, [row], viewer_id, now)
        return story

    async def each(
        self, uow: UnitOfWork, rows: Sequence[Row], viewer_id: UUID | None, now: datetime
    ) -> list[StoryView]:
        """Converts rows to stories. Costs one statement if a story mentions somebody, otherwise none."""
        usernames = await mentioned(uow, viewer_id, [row["mentions"] for row in rows])
        return [self._view(row, usernames, viewer_id, now) for row in rows]

    def _view(self, row: Row, usernames: Mapping[str, str], viewer_id: UUID | None, now: datetime) -> StoryView:
        own, counted = row["author_id"] == str(viewer_id), queries.counted(row)
        return {
            "id": row["id"],
            "author": author_of(row),
            "text": row["text"],
            "mentions": mention_views(row["mentions"], usernames),
            "media": _media_view(self.media, row, viewer_id, now) if row["media"] else None,
            "audience": row["audience"],
            "list_id": row["list_id"],
            "created_at": row["created_at"],
            "expires_at": row["expires_at"],
            "seen": row["seen"],
            "may_reply": viewer_id is not None and not own and self._may_reply(row),
            "own_reaction": counted.own,
            "viewers": counted.counts.get(VIEWERS, 0) if own else None,
            "reactions": reactions_view(counted) if own else None,
        }

    def _may_reply(self, row: Row) -> bool:
        try:
            audience = ReplyAudience(row["replies"] or self.replies)
        except ValueError:  # what code of another version knows
            audience = self.replies
        return may_reply(audience, connected=row["connected"], close_friend=row["close_friend"])


def _media_view(media: MediaService, row: Row, viewer_id: UUID | None, now: datetime) -> StoryMediaView:
    """Returns the medium of a story with an address for the viewer. The address ends with the story, because each
    request asks whether the viewer may see that."""
    medium: Attachment = row["media"]
    address = media.seal(UUID(medium["id"]), viewer_id, row["media_epoch"], now)
    others = row["author_id"] != str(viewer_id) and row["expires_at"] > now  # not the author, nor by a highlight
    expires_at = min(address.expires_at, row["expires_at"]) if others else address.expires_at
    path = f"/story-media/{address.token}"
    return {**medium, "video": medium.get("video"), "path": path, "path_expires_at": expires_at}
