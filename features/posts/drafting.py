"""Drafts: posts that their authors have not published yet, and those that are to be published at a time."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cluster.ids import new_id
from cluster.postgres import UnitOfWork
from features.media.service import MediaService
from features.paging import Cursor, Page, PageRequest, page_of
from features.posts import draft_store
from features.posts.changes import publish_created
from features.posts.composing import Composer, Content
from features.posts.errors import BadPublishAt, NoSuchDraft, TooManyDrafts, UnknownList
from features.posts.model import Attachment, Audience, Place, PostView
from features.posts.policy import PostPolicy
from features.posts.views import Row, views


@dataclass(frozen=True, slots=True)
class DraftedPoll:
    """A poll of a draft. It closes `duration_s` after its publication."""

    options: list[str]
    multiple: bool
    duration_s: int


@dataclass(frozen=True, slots=True)
class SavedDraft:
    """A draft as its author sees it; nobody else does."""

    id: UUID
    """The id of the post that will be made of it."""
    text: str
    audience: Audience
    list_id: UUID | None
    content_warning: str | None
    place: Place | None
    poll: DraftedPoll | None
    quoted_id: UUID | None
    media: list[Attachment]
    publish_at: datetime | None
    problem: str | None
    """The code of the error for which it was not published at its time."""
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Drafts:
    """Operations on the caller's own drafts. They raise NoSuchDraft."""

    policy: PostPolicy
    composer: Composer
    media: MediaService

    async def create(
        self, uow: UnitOfWork, author_id: UUID, content: Content, publish_at: datetime | None, now: datetime
    ) -> SavedDraft:
        """Saves a draft. Raises the errors of a post; BadPublishAt, UnknownList, TooManyDrafts."""
        self._check_time(publish_at, now)
        draft_id = new_id(now)
        composed = await self.composer.compose(uow, author_id, draft_id, content, now)
        if await draft_store.lock(uow, author_id) >= self.policy.max_drafts:
            raise TooManyDrafts(f"You can have at most {self.policy.max_drafts} drafts.")
        row = await draft_store.insert(uow, draft_id, author_id, composed.draft, publish_at, now)
        if row is None:
            raise UnknownList
        return _saved(row)

    async def replace(
        self,
        uow: UnitOfWork,
        draft_id: UUID,
        author_id: UUID,
        content: Content,
        publish_at: datetime | None,
        now: datetime,
    ) -> SavedDraft:
        """Replaces a draft and its time of publication; None takes that away. Raises as `create`."""
        if await draft_store.lock_draft(uow, draft_id, author_id) is None:
            raise NoSuchDraft
        self._check_time(publish_at, now)
        composed = await self.composer.compose(uow, author_id, draft_id, content, now, attached=True)
        row = await draft_store.update(uow, draft_id, author_id, composed.draft, publish_at, now)
        if row is None:
            raise UnknownList
        return _saved(row)

    async def get(self, uow: UnitOfWork, draft_id: UUID, author_id: UUID) -> SavedDraft:
        """Returns a draft."""
        row = await draft_store.find(uow, draft_id, author_id)
        if row is None:
            raise NoSuchDraft
        return _saved(row)

    async def of_author(
        self, uow: UnitOfWork, author_id: UUID, scheduled: bool | None, page: PageRequest
    ) -> Page[SavedDraft]:
        """Returns the drafts, newest first; only those with a time of publication, or only those without."""
        rows = await draft_store.of_author(uow, author_id, scheduled, page)
        return page_of([_saved(row) for row in rows], page.limit, lambda draft: Cursor(draft.created_at, draft.id))

    async def delete(self, uow: UnitOfWork, draft_id: UUID, author_id: UUID, now: datetime) -> None:
        """Deletes a draft."""
        if not await draft_store.delete(uow, draft_id, author_id):
            raise NoSuchDraft
        await self.media.attach(uow, author_id, draft_id, [], now)

    async def publish(self, uow: UnitOfWork, draft_id: UUID, author_id: UUID, now: datetime) -> PostView:
        """Publishes a draft now. Raises UnknownList."""
        if await draft_store.lock_draft(uow, draft_id, author_id) is None:
            raise NoSuchDraft
        row = await draft_store.publish(uow, draft_id, author_id, now)
        if row is None:
            raise UnknownList
        await publish_created(uow, row, now)
        return (await views(uow, author_id, [row], now))[0]

    def _check_time(self, publish_at: datetime | None, now: datetime) -> None:
        nearest, farthest = self.policy.min_schedule_ahead, self.policy.max_schedule_ahead
        if publish_at is not None and not now + nearest <= publish_at <= now + farthest:
            seconds = int(nearest.total_seconds())
            raise BadPublishAt(f"A post is scheduled {seconds} seconds to {farthest.days} days ahead.")


def _saved(row: Row) -> SavedDraft:
    poll = row["poll"] and DraftedPoll(row["poll"]["options"], row["poll"]["multiple"], row["poll_duration_s"])
    return SavedDraft(
        row["id"],
        row["text"],
        Audience(row["audience"]),
        row["list_id"],
        row["content_warning"],
        row["place"],
        poll,
        row["quoted_id"],
        row["media"] or [],
        row["publish_at"],
        row["problem"],
        row["created_at"],
        row["updated_at"],
    )
