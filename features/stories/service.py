"""The service of stories."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cluster.ids import new_id
from cluster.postgres import UnitOfWork
from features.bounded_lists import page_until
from features.counters.model import ReactionKind, Target, TargetKind
from features.counters.service import CounterService
from features.media.addresses import Grant
from features.media.errors import ATTACHMENT_ERRORS, NoSuchMedia
from features.media.model import StoredFile
from features.media.service import MediaService
from features.paging import Page, PageRequest, page_of
from features.posts.attachments import MediaDraft, attachments_of
from features.posts.composing import check_audience
from features.posts.errors import UnknownList
from features.posts.model import Attachment
from features.profiles.service import ProfileService
from features.sealed_cursors import SealedCursors, SealedPageRequest
from features.stories import store
from features.stories.changes import publish_created, publish_deleted
from features.stories.errors import NoSuchStory, NotYourStory, TooManyStories
from features.stories.highlights import Highlights
from features.stories.mentions import stored_mentions, usernames_in
from features.stories.model import StoryContent, StoryView, StoryViewer
from features.stories.policy import StoryPolicy
from features.stories.rings import Ring, find_rings
from features.stories.store import Row
from features.stories.views import StoryViews
from features.text import clean_line, clean_paragraphs, is_blank
from features.text_errors import EmptyText
from features.videos.model import StreamFile
from features.videos.service import VideoService


@dataclass(frozen=True, slots=True)
class StoryService:
    """Operations on stories. They raise NoSuchStory for a story that does not exist or that the caller may not see."""

    policy: StoryPolicy
    profiles: ProfileService
    media: MediaService
    videos: VideoService
    counters: CounterService
    highlights: Highlights
    views: StoryViews
    cursors: SealedCursors

    async def create(self, uow: UnitOfWork, author_id: UUID, content: StoryContent, now: datetime) -> StoryView:
        """Publishes a story. Raises Invalid, the errors of media that cannot be attached, TooManyStories."""
        check_audience(content.audience, content.list_id)
        text = clean_paragraphs(content.text, field="text", max_characters=self.policy.max_text_length)
        if is_blank(text):
            if content.media is None:
                raise EmptyText("A story needs an image, a video, or a text with a visible character.", field="text")
            text = ""
        usernames = usernames_in(text, content.stickers, self.policy.max_mentions)
        author, people = await self.profiles.resolve_for(uow, author_id, usernames)
        mentions = stored_mentions(text, content.stickers, people)
        if await store.lock_live(uow, author_id, now) >= self.policy.max_live:
            raise TooManyStories(f"You can have at most {self.policy.max_live} stories at a time.")
        story_id = new_id(now)
        attachment = None
        if content.media is not None:
            attachment = await self._attach(uow, author_id, story_id, content.media, now)
        expires_at = now + self.policy.lifetime
        draft = store.Draft(
            story_id, author, text, attachment, content.audience, content.list_id, now, expires_at, mentions
        )
        row = await store.insert(uow, draft)
        if row is None:
            raise UnknownList
        publish_created(uow, row, now)
        return await self.views.one(uow, row, author_id, now)

    async def get(self, uow: UnitOfWork, story_id: UUID, viewer_id: UUID | None, now: datetime) -> StoryView:
        """Returns a story."""
        return await self.views.one(uow, await self._find(uow, story_id, viewer_id, now), viewer_id, now)

    async def delete(self, uow: UnitOfWork, story_id: UUID, author_id: UUID, now: datetime) -> None:
        """Deletes a story of the author, expired or not. Raises NotYourStory for somebody else's."""
        row = await store.delete(uow, story_id, author_id)
        if row is None:
            await self._find(uow, story_id, author_id, now)
            raise NotYourStory
        if row["media"]:
            await self.media.attach(uow, author_id, story_id, [], now)
        publish_deleted(uow, row, now)

    async def of_author(
        self, uow: UnitOfWork, username: str, viewer_id: UUID | None, page: PageRequest, now: datetime
    ) -> Page[StoryView]:
        """Returns an author's stories that have not expired, oldest first. Raises NoSuchPerson for an author whom the
        viewer may not see."""
        author_id = await self.profiles.resolve(uow, viewer_id, username)
        rows = await store.live_of(uow, author_id, viewer_id, now, page)
        return await self.views.page(uow, rows, viewer_id, page, now)

    async def archive(self, uow: UnitOfWork, author_id: UUID, page: PageRequest, now: datetime) -> Page[StoryView]:
        """Returns the author's own stories that have expired, newest first."""
        rows = await store.archive(uow, author_id, now, page)
        return await self.views.page(uow, rows, author_id, page, now)

    async def record_view(self, uow: UnitOfWork, story_id: UUID, viewer_id: UUID, now: datetime) -> None:
        """Records that the viewer has seen a story, once."""
        if not await store.record_view(uow, story_id, viewer_id, now):
            raise NoSuchStory

    async def react(
        self, uow: UnitOfWork, story_id: UUID, account_id: UUID, kind: ReactionKind | None, now: datetime
    ) -> None:
        """Reacts to a story, in place of a former reaction; None: removes it. Who reacts has seen the story. Raises
        ReactionNotStored."""
        await self.record_view(uow, story_id, account_id, now)
        await self.counters.react(uow, Target(TargetKind.STORY, story_id), account_id, kind, now)

    async def rings(self, uow: UnitOfWork, viewer_id: UUID, page: PageRequest, now: datetime) -> Page[Ring]:
        """Returns those whose stories the viewer follows and who have some, closest first. One statement."""
        seen_since = now - self.policy.closeness_period
        return page_of(await find_rings(uow, viewer_id, page, now, seen_since), page.limit, Ring.cursor)

    async def viewers(
        self, uow: UnitOfWork, story_id: UUID, author_id: UUID, asked: SealedPageRequest, now: datetime
    ) -> Page[StoryViewer]:
        """Returns who has seen a story of the author, newest first. Raises NotYourStory for somebody else's, and
        BadCursor."""
        cursors = self.cursors.of(f"viewers {story_id}")
        page = cursors.open(asked)
        if (await self._find(uow, story_id, author_id, now))["author_id"] != str(author_id):
            raise NotYourStory
        found = await store.viewers(uow, story_id, author_id, page)
        viewers = [store.viewer_of(row) for row in found.rows]
        return page_until(viewers, page.limit, StoryViewer.cursor, found.cursor, cursors)

    async def get_file(self, uow: UnitOfWork, grant: Grant, name: str, now: datetime) -> StoredFile:
        """Returns a file of the medium of a grant, in one statement. Raises NoSuchMedia unless the viewer may see the
        story at this moment."""
        file = await store.find_file(uow, grant.media_id, grant.viewer, grant.epoch, name, now)
        if file is None:
            raise NoSuchMedia
        return file

    async def get_stream_file(self, uow: UnitOfWork, grant: Grant, name: str, now: datetime) -> StreamFile:
        """Returns a file of the stream of a grant's video, in two statements. Raises NoSuchMedia unless the viewer may
        see the story at this moment; NoSuchFile."""
        if not await store.shows(uow, grant.media_id, grant.viewer, grant.epoch, now):
            raise NoSuchMedia
        return await self.videos.file(uow, grant.media_id, name)

    async def _find(self, uow: UnitOfWork, story_id: UUID, viewer_id: UUID | None, now: datetime) -> Row:
        row = await store.find(uow, story_id, viewer_id, now)
        if row is None:
            raise NoSuchStory
        return row

    async def _attach(
        self, uow: UnitOfWork, author_id: UUID, story_id: UUID, draft: MediaDraft, now: datetime
    ) -> Attachment:
        """Has a story show an image or a video. Returns what is stored of it with the story. Raises Invalid."""
        alt = clean_line(draft.alt, field="media.alt", max_characters=self.policy.max_alt_length, required=False)
        try:
            [medium] = await self.media.attach(uow, author_id, story_id, [draft.media_id], now)
            videos = {} if medium.media_type.is_image else await self.videos.of_media(uow, [medium.id])
            [attachment] = attachments_of([MediaDraft(medium.id, alt)], [medium], videos)
        except ATTACHMENT_ERRORS as error:
            raise type(error)(field="media.id") from None
        return attachment
