"""The service of posts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cluster.ids import new_id
from cluster.postgres import UnitOfWork
from features.bounded_lists import page_until
from features.events import publish
from features.media.model import Address
from features.media.service import MediaService
from features.paging import Cursor, Page, PageRequest, page_of
from features.posts import hashtag_store, store
from features.posts.attachments import MediaDraft, addresses_of, described
from features.posts.changes import publish_created, publish_deleted, publish_edited, state_of
from features.posts.composing import Composer, Content, check_audience, parse_text
from features.posts.drafting import Drafts
from features.posts.errors import (
    BadHashtag,
    NoSuchPost,
    NotEditable,
    NotTheAuthor,
    TooManyPinned,
    UnknownList,
)
from features.posts.events import PostPinned, PostUnpinned
from features.posts.labels import clean_content_warning, clean_place
from features.posts.model import Attachment, Audience, HashtagCounts, HashtagUse, Place, PostView, Version
from features.posts.policy import PostPolicy
from features.posts.polls import UNVOTED, view_poll
from features.posts.sharing import Shares
from features.posts.text import tag_of
from features.posts.version_views import version_view
from features.posts.views import Row, mentioned, view_cursor, views, views_naming
from features.posts.voting import Polls
from features.profiles.service import ProfileService
from features.sealed_cursors import SealedCursors, SealedPageRequest

_FIRST = 2**31
_EDITED = ("text", "content_warning", "place", "media")
"""The columns whose change is an edit, beside the audience."""


@dataclass(frozen=True, slots=True)
class PostService:
    """Operations on posts. They raise NoSuchPost for a post that does not exist or that the caller may not see."""

    policy: PostPolicy
    profiles: ProfileService
    composer: Composer
    polls: Polls
    shares: Shares
    drafts: Drafts
    media: MediaService
    cursors: SealedCursors

    async def create(self, uow: UnitOfWork, author_id: UUID, content: Content, now: datetime) -> PostView:
        """Publishes a post when the unit of work commits. Raises Invalid, and the errors of media that cannot be
        attached; for a list that is not the author's, the commit does."""
        post_id = new_id(now)
        composed = await self.composer.compose(uow, author_id, post_id, content, now)
        draft, quoted = composed.draft, composed.quoted
        row = store.insert(uow, post_id, composed.author, draft, now)
        await publish_created(uow, row, now)
        polls = {row["id"]: view_poll(draft.poll, UNVOTED, now)} if draft.poll else {}
        if quoted and draft.audience is Audience.PUBLIC:
            quoted["quotes"] += 1  # this one, which others count when it is committed
        shared = {(quoted["id"], str(author_id)): quoted} if quoted else {}
        return views_naming([row], draft.usernames, polls, shared)[0]

    async def get(self, uow: UnitOfWork, post_id: UUID, viewer_id: UUID | None, now: datetime) -> PostView:
        """Returns a post."""
        row = await store.find(uow, post_id, viewer_id)
        if row is None:
            raise NoSuchPost
        return await self._view(uow, viewer_id, row, now)

    async def require_visible(self, uow: UnitOfWork, post_id: UUID, viewer_id: UUID | None) -> None:
        """Raises NoSuchPost unless the viewer may see the post."""
        if not await store.visible(uow, post_id, viewer_id):
            raise NoSuchPost

    async def edit(
        self,
        uow: UnitOfWork,
        post_id: UUID,
        author_id: UUID,
        now: datetime,
        *,
        text: str | None = None,
        audience: Audience | None = None,
        list_id: UUID | None = None,
        content_warning: str | None = None,
        place: Place | None = None,
        media: Sequence[MediaDraft] | None = None,
    ) -> PostView:
        """Changes what is not None. An empty content warning, or a place with an empty name, removes it. Keeps text,
        content warning and media in the history if one of them is replaced. Raises NotTheAuthor for somebody else's
        post, otherwise as `create`."""
        before = await self._lock_own(uow, post_id, author_id)
        if before["is_repost"]:
            raise NotEditable
        if audience is None and list_id is None:
            audience = Audience(before["audience"])
            list_id = UUID(before["list_id"]) if before["list_id"] else None
        else:
            audience = audience or Audience(before["audience"])
            check_audience(audience, list_id)
        parsed = parse_text(before["text"] if text is None else text, self.policy)
        warning: str | None = before["content_warning"]
        if content_warning is not None:
            warning = clean_content_warning(content_warning, self.policy)
        place = before["place"] if place is None else clean_place(place, self.policy)
        people = await self.profiles.resolve_many(uow, author_id, parsed.usernames)
        attachments: list[Attachment] = before["media"] or []
        if media is not None:
            attachments = await self.composer.attach(uow, author_id, post_id, media, now, keep_others=True)
        draft = parsed.draft(people, audience, list_id, warning, place, attachments)
        other_media = described(attachments) != described(before["media"] or [])
        row = await store.update(uow, post_id, author_id, draft, now, other_media=other_media)
        if row is None:
            raise UnknownList
        if any(row[column] != before[column] for column in _EDITED) or state_of(row) != state_of(before):
            await publish_edited(uow, row, before, now)
        if row["poll"] or row["shared_id"]:
            return await self._view(uow, author_id, row, now)
        return views_naming([row], draft.usernames, {}, {})[0]

    async def pin(self, uow: UnitOfWork, post_id: UUID, author_id: UUID, now: datetime) -> PostView:
        """Pins a post of the author to the profile; one that is pinned stays where it is. Raises TooManyPinned."""
        row = await self._lock_own(uow, post_id, author_id)
        if row["pinned_at"] is None:
            if await store.lock_pinned(uow, author_id) >= self.policy.max_pinned:
                raise TooManyPinned(f"A profile has at most {self.policy.max_pinned} pinned posts.")
            await store.pin(uow, post_id, now)
            publish(uow, PostPinned(post_id, author_id), now)
        found = await store.find(uow, post_id, author_id)
        assert found is not None
        return await self._view(uow, author_id, found, now)

    async def unpin(self, uow: UnitOfWork, post_id: UUID, author_id: UUID, now: datetime) -> None:
        """Takes a post off its author's profile."""
        row = await self._lock_own(uow, post_id, author_id)
        if row["pinned_at"] is not None:
            await store.pin(uow, post_id, None)
            publish(uow, PostUnpinned(post_id, author_id), now)

    async def delete(self, uow: UnitOfWork, post_id: UUID, author_id: UUID, now: datetime) -> None:
        """Deletes a post and its history."""
        row = await self._lock_own(uow, post_id, author_id)
        await store.delete(uow, post_id, author_id)
        if row["media"] or row["edited_at"] is not None:  # its history may have some
            await self.media.attach(uow, author_id, post_id, [], now)
        await publish_deleted(uow, row, now)

    async def history(
        self, uow: UnitOfWork, post_id: UUID, viewer_id: UUID | None, page: PageRequest, now: datetime
    ) -> Page[Version]:
        """Returns the versions of a post, newest first. A reader who may see the post sees those versions whose own
        audience includes the reader: a version that was `only_me` stays private when the post becomes public."""
        below = page.cursor.id.int if page.cursor else _FIRST
        rows = await store.versions(uow, post_id, viewer_id, below=below, limit=page.limit + 1)
        if not rows:
            raise NoSuchPost
        usernames = await mentioned(uow, viewer_id, [row["entities"] for row in rows])

        paged = page_of(rows, page.limit, lambda row: Cursor(row["created_at"], UUID(int=row["number"])))
        versions = [version_view(row, usernames, self.media, viewer_id, now) for row in paged.items]
        return Page(versions, paged.next_cursor)

    async def of_author(
        self, uow: UnitOfWork, username: str, viewer_id: UUID | None, page: PageRequest, now: datetime
    ) -> Page[PostView]:
        """Returns an author's posts, pinned ones first, the others newest first. Raises NoSuchPerson for an author whom
        the viewer may not see."""
        author_id = await self.profiles.resolve(uow, viewer_id, username)
        rows = await store.of_author(uow, author_id, viewer_id, page)
        paged = page_of(rows, page.limit, lambda row: Cursor(row["listed_at"], UUID(row["id"])))
        return Page(await views(uow, viewer_id, paged.items, now), paged.next_cursor)

    async def with_hashtag(
        self, uow: UnitOfWork, hashtag: str, viewer_id: UUID | None, asked: SealedPageRequest, now: datetime
    ) -> Page[PostView]:
        """Returns the posts with a hashtag, newest first. Raises BadHashtag, BadCursor."""
        tag = _tag(hashtag)
        cursors = self.cursors.of(f"hashtag {tag}")
        found = await hashtag_store.with_hashtag(uow, tag, viewer_id, cursors.open(asked))
        posts = await views(uow, viewer_id, found.rows, now)
        return page_until(posts, asked.limit, view_cursor, found.cursor, cursors)

    async def hashtag(self, uow: UnitOfWork, hashtag: str) -> HashtagCounts:
        """Returns how much a hashtag is used in public posts, the same for every viewer; updated within seconds."""
        tag = _tag(hashtag)
        rows = await hashtag_store.hashtag_counts(uow, tag)
        days = [HashtagUse(row["day"].isoformat(), row["posts"]) for row in rows[: self.policy.hashtag_days]]
        return HashtagCounts(tag, rows[0]["total"] if rows else 0, days)

    async def media_addresses(
        self, uow: UnitOfWork, post_id: UUID, viewer_id: UUID | None, now: datetime
    ) -> list[tuple[UUID, Address]]:
        """Returns addresses of a post's media for a viewer, in order, each with the medium's id."""
        row = await store.find(uow, post_id, viewer_id)
        if row is None:
            raise NoSuchPost
        return addresses_of(self.media, row["media"] or (), viewer_id, row["media_epoch"], now)

    async def _lock_own(self, uow: UnitOfWork, post_id: UUID, author_id: UUID) -> Row:
        row = await store.lock(uow, post_id, author_id)
        if row is None:
            raise NoSuchPost
        if row["author_id"] != str(author_id):
            raise NotTheAuthor
        return row

    async def _view(self, uow: UnitOfWork, viewer_id: UUID | None, row: Row, now: datetime) -> PostView:
        return (await views(uow, viewer_id, [row], now))[0]


def _tag(text: str) -> str:
    tag = tag_of(text)
    if tag is None:
        raise BadHashtag
    return tag
