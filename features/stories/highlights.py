"""Highlights: stories that their author keeps visible on the profile, with an audience of the highlight's own.

A path to a medium that was given out ends when the story leaves a highlight, or the highlight's audience changes, and
stays dead when it comes back: the story's media epoch changes.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cluster.ids import new_id
from cluster.postgres import UnitOfWork
from features.paging import Cursor, Page, PageRequest, page_of
from features.posts.composing import check_audience
from features.posts.errors import UnknownList
from features.posts.model import Audience
from features.posts.views import author_of
from features.profiles.service import ProfileService
from features.stories import highlight_store, store
from features.stories.errors import (
    NoSuchHighlight,
    NoSuchStory,
    NotYourHighlight,
    NotYourStory,
    TooManyHighlighted,
    TooManyHighlights,
)
from features.stories.model import HighlightView, StoryView
from features.stories.policy import StoryPolicy
from features.stories.store import Row
from features.stories.views import StoryViews
from features.text import clean_line


@dataclass(frozen=True, slots=True)
class Highlights:
    """Operations on highlights. They raise NoSuchHighlight for one that does not exist or that the caller may not see,
    and NotYourHighlight where somebody else's is to be changed."""

    policy: StoryPolicy
    profiles: ProfileService
    views: StoryViews

    async def create(
        self, uow: UnitOfWork, author_id: UUID, title: str, audience: Audience, list_id: UUID | None, now: datetime
    ) -> HighlightView:
        """Creates an empty highlight. Raises Invalid, TooManyHighlights."""
        check_audience(audience, list_id)
        title = self._clean(title)
        if await highlight_store.lock_own(uow, author_id) >= self.policy.max_highlights:
            raise TooManyHighlights(f"You can have at most {self.policy.max_highlights} highlights.")
        highlight_id = new_id(now)
        if not await highlight_store.insert(uow, highlight_id, author_id, title, audience, list_id, now):
            raise UnknownList
        return await self.get(uow, highlight_id, author_id)

    async def get(self, uow: UnitOfWork, highlight_id: UUID, viewer_id: UUID | None) -> HighlightView:
        """Returns a highlight."""
        row = await highlight_store.find(uow, highlight_id, viewer_id)
        if row is None:
            raise NoSuchHighlight
        return _view(row)

    async def of_author(
        self, uow: UnitOfWork, username: str, viewer_id: UUID | None, page: PageRequest
    ) -> Page[HighlightView]:
        """Returns an author's highlights, newest first; empty ones for the author only. Raises NoSuchPerson."""
        author_id = await self.profiles.resolve(uow, viewer_id, username)
        rows = await highlight_store.of_author(uow, author_id, viewer_id, page)
        paged = page_of(rows, page.limit, lambda row: Cursor(row["created_at"], UUID(row["id"])))
        return Page([_view(row) for row in paged.items], paged.next_cursor)

    async def stories(
        self, uow: UnitOfWork, highlight_id: UUID, viewer_id: UUID | None, page: PageRequest, now: datetime
    ) -> Page[StoryView]:
        """Returns the stories of a highlight, oldest first. Two statements; three if one mentions somebody."""
        await self.get(uow, highlight_id, viewer_id)
        rows = await highlight_store.stories_in(uow, highlight_id, viewer_id, now, page)
        return await self.views.page(uow, rows, viewer_id, page, now)

    async def change(
        self,
        uow: UnitOfWork,
        highlight_id: UUID,
        author_id: UUID,
        title: str | None,
        audience: Audience | None,
        list_id: UUID | None,
    ) -> HighlightView:
        """Changes what is not None. Raises Invalid."""
        before = await self._lock_own(uow, highlight_id, author_id)
        former = Audience(before["audience"]), UUID(before["list_id"]) if before["list_id"] else None
        if audience is None and list_id is None:
            audience, list_id = former
        else:
            audience = audience or former[0]
            check_audience(audience, list_id)
        title = before["title"] if title is None else self._clean(title)
        if not await highlight_store.update(uow, highlight_id, author_id, title, audience, list_id):
            raise UnknownList
        if (audience, list_id) != former:
            await highlight_store.end_addresses(uow, highlight_id)
        return await self.get(uow, highlight_id, author_id)

    async def delete(self, uow: UnitOfWork, highlight_id: UUID, author_id: UUID) -> None:
        """Deletes a highlight. Its stories are in the archive as before."""
        await self._lock_own(uow, highlight_id, author_id)
        await highlight_store.end_addresses(uow, highlight_id)
        await highlight_store.delete(uow, highlight_id, author_id)

    async def add(
        self, uow: UnitOfWork, highlight_id: UUID, story_id: UUID, author_id: UUID, now: datetime
    ) -> HighlightView:
        """Adds a story of the author, expired or not. Raises NoSuchStory, NotYourStory, TooManyHighlighted."""
        await self._lock_own(uow, highlight_id, author_id)
        story = await store.find(uow, story_id, author_id, now)
        if story is None:
            raise NoSuchStory
        if story["author_id"] != str(author_id):
            raise NotYourStory
        if await highlight_store.add(uow, highlight_id, story_id, author_id) > self.policy.max_highlighted:
            raise TooManyHighlighted(f"A highlight has at most {self.policy.max_highlighted} stories.")
        return await self.get(uow, highlight_id, author_id)

    async def remove(self, uow: UnitOfWork, highlight_id: UUID, story_id: UUID, author_id: UUID) -> None:
        """Takes a story out of a highlight, if it is in it."""
        await self._lock_own(uow, highlight_id, author_id)
        await highlight_store.end_addresses(uow, highlight_id, story_id)
        await highlight_store.remove(uow, highlight_id, story_id)

    def _clean(self, title: str) -> str:
        return clean_line(title, field="title", max_characters=self.policy.max_title_length)

    async def _lock_own(self, uow: UnitOfWork, highlight_id: UUID, author_id: UUID) -> Row:
        row = await highlight_store.lock(uow, highlight_id, author_id)
        if row is None:
            raise NoSuchHighlight
        if row["author_id"] != str(author_id):
            raise NotYourHighlight
        return row


def _view(row: Row) -> HighlightView:
    return {
        "id": row["id"],
        "author": author_of(row),
        "title": row["title"],
        "audience": row["audience"],
        "list_id": row["list_id"],
        "stories": row["stories"],
        "created_at": row["created_at"],
    }
