"""The service of posts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from unicodedata import category
from uuid import UUID

from cluster.ids import new_id
from cluster.postgres import UnitOfWork
from features.events import publish
from features.media.model import Address
from features.media.service import MediaService
from features.paging import Cursor, Page, PageRequest, page_of
from features.posts import store
from features.posts.attachments import MediaDraft, addresses_of, attachments_of, clean_media
from features.posts.changes import publish_created, publish_deleted, publish_edited, state_of
from features.posts.errors import (
    BadHashtag,
    ListMismatch,
    NoSuchPost,
    NotEditable,
    NotShareable,
    NotTheAuthor,
    TooManyHashtags,
    TooManyMentions,
    TooManyPinned,
    UnknownList,
    UnknownQuotedPost,
)
from features.posts.events import PostPinned, PostUnpinned
from features.posts.labels import clean_content_warning, clean_place
from features.posts.model import Attachment, Audience, HashtagCounts, HashtagUse, Place, PostContent, PostView, Version
from features.posts.policy import PostPolicy
from features.posts.polls import UNVOTED, PollDraft, view_poll
from features.posts.sharing import Shares
from features.posts.text import Hashtag, Mention, parse, tag_of
from features.posts.views import Row, content_of, entities_of, mentioned, view_cursor, views, views_naming
from features.posts.voting import Polls
from features.profiles.service import ProfileService
from features.text import is_blank
from features.text_errors import ControlCharacters, EmptyText, TextTooLong

_FIRST = 2**31
_EDITED = ("text", "content_warning", "place", "media")
"""The columns whose change is an edit, beside the audience."""


@dataclass(frozen=True, slots=True)
class PostService:
    """Operations on posts. They raise NoSuchPost for a post that does not exist or that the caller may not see."""

    policy: PostPolicy
    profiles: ProfileService
    polls: Polls
    shares: Shares
    media: MediaService

    async def create(
        self,
        uow: UnitOfWork,
        author_id: UUID,
        text: str,
        audience: Audience,
        list_id: UUID | None,
        now: datetime,
        *,
        content_warning: str | None = None,
        place: Place | None = None,
        poll: PollDraft | None = None,
        media: Sequence[MediaDraft] = (),
        quoted_id: UUID | None = None,
    ) -> PostView:
        """Publishes a post when the unit of work commits. Raises Invalid for an empty or too long text, and for media
        that the author cannot attach; for a list that is not the author's, the commit does."""
        _check_audience(audience, list_id)
        parsed = _parse(text, self.policy)
        warning = clean_content_warning(content_warning or "", self.policy)
        place = clean_place(place, self.policy) if place else None
        author, people = await self.profiles.resolve_for(uow, author_id, parsed.usernames)
        post_id, attachments = new_id(now), list[Attachment]()
        if media:
            attachments = await self._attach(uow, author_id, post_id, media, now)
        draft = parsed.draft(people, audience, list_id, warning, place, attachments)
        if poll is not None:
            draft = replace(draft, poll=self.polls.define(poll, now))
        shared: dict[tuple[str, str], PostContent] = {}
        if quoted_id is not None:
            quoted = await self._quoted(uow, quoted_id, author_id)
            draft = replace(draft, quoted_id=UUID(quoted["id"]))
            shared = {(quoted["id"], str(author_id)): quoted}
        row = store.insert(uow, post_id, author, draft, now)
        publish_created(uow, row, now)
        polls = {row["id"]: view_poll(draft.poll, UNVOTED, now)} if draft.poll else {}
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
        """Changes what is not None. An empty content warning, or a place with an empty name, removes it. Keeps a
        replaced text or content warning in the history. Raises NotTheAuthor for somebody else's post, otherwise as
        `create`."""
        before = await self._lock_own(uow, post_id, author_id)
        if before["is_repost"]:
            raise NotEditable
        if audience is None and list_id is None:
            audience = Audience(before["audience"])
            list_id = UUID(before["list_id"]) if before["list_id"] else None
        else:
            audience = audience or Audience(before["audience"])
            _check_audience(audience, list_id)
        parsed = _parse(before["text"] if text is None else text, self.policy)
        warning: str | None = before["content_warning"]
        if content_warning is not None:
            warning = clean_content_warning(content_warning, self.policy)
        place = before["place"] if place is None else clean_place(place, self.policy)
        people = await self.profiles.resolve_many(uow, author_id, parsed.usernames)
        attachments: list[Attachment] = before["media"] or []
        if media is not None:
            attachments = await self._attach(uow, author_id, post_id, media, now)
        draft = parsed.draft(people, audience, list_id, warning, place, attachments)
        row = await store.update(uow, post_id, author_id, draft, now)
        if row is None:
            raise UnknownList
        if any(row[column] != before[column] for column in _EDITED) or state_of(row) != state_of(before):
            publish_edited(uow, row, before, now)
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
        if row["media"]:
            await self.media.attach(uow, author_id, post_id, [], now)
        publish_deleted(uow, row, now)

    async def history(self, uow: UnitOfWork, post_id: UUID, viewer_id: UUID | None, page: PageRequest) -> Page[Version]:
        """Returns the versions of a post, newest first. A reader who may see the post sees those versions whose own
        audience includes the reader: a version that was `only_me` stays private when the post becomes public."""
        below = page.cursor.id.int if page.cursor else _FIRST
        rows = await store.versions(uow, post_id, viewer_id, below=below, limit=page.limit + 1)
        if not rows:
            raise NoSuchPost
        usernames = await mentioned(uow, viewer_id, [row["entities"] for row in rows])

        paged = page_of(rows, page.limit, lambda row: Cursor(row["created_at"], UUID(int=row["number"])))
        return Page([_version(row, usernames) for row in paged.items], paged.next_cursor)

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
        self, uow: UnitOfWork, hashtag: str, viewer_id: UUID | None, page: PageRequest, now: datetime
    ) -> Page[PostView]:
        """Returns the posts with a hashtag, newest first."""
        rows = await store.with_hashtag(uow, _tag(hashtag), viewer_id, page)
        return page_of(await views(uow, viewer_id, rows, now), page.limit, view_cursor)

    async def hashtag(self, uow: UnitOfWork, hashtag: str) -> HashtagCounts:
        """Returns how much a hashtag is used in public posts, the same for every viewer; updated within seconds."""
        tag = _tag(hashtag)
        rows = await store.hashtag_counts(uow, tag)
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

    async def _attach(
        self, uow: UnitOfWork, author_id: UUID, post_id: UUID, drafts: Sequence[MediaDraft], now: datetime
    ) -> list[Attachment]:
        """Has a post show media. Raises Invalid, with the position of the first one that cannot be attached."""
        cleaned = clean_media(drafts, self.policy)
        media = await self.media.attach(uow, author_id, post_id, [each.media_id for each in cleaned], now)
        return attachments_of(cleaned, media)

    async def _lock_own(self, uow: UnitOfWork, post_id: UUID, author_id: UUID) -> Row:
        row = await store.lock(uow, post_id, author_id)
        if row is None:
            raise NoSuchPost
        if row["author_id"] != str(author_id):
            raise NotTheAuthor
        return row

    async def _quoted(self, uow: UnitOfWork, post_id: UUID, author_id: UUID) -> PostContent:
        """Returns a post that the author may quote, as the author sees it. Raises UnknownQuotedPost."""
        try:
            row = await self.shares.shareable(uow, post_id, author_id)
        except (NoSuchPost, NotShareable):
            raise UnknownQuotedPost from None
        return content_of(row, await mentioned(uow, author_id, [row["entities"]]))

    async def _view(self, uow: UnitOfWork, viewer_id: UUID | None, row: Row, now: datetime) -> PostView:
        return (await views(uow, viewer_id, [row], now))[0]


@dataclass(frozen=True, slots=True)
class _Parsed:
    """A text as it is stored, what was found in it, and its different hashtags and possible mentions."""

    text: str
    found: list[Hashtag | Mention]
    tags: list[str]
    usernames: list[str]

    def draft(
        self,
        people: Mapping[str, UUID],
        audience: Audience,
        list_id: UUID | None,
        content_warning: str | None,
        place: Place | None,
        media: list[Attachment],
    ) -> store.Draft:
        """Returns what is stored, given who is mentioned."""
        entities: list[dict[str, Any]] = []
        for entity in self.found:
            offsets = {"start": entity.start, "end": entity.end}
            if not isinstance(entity, Mention):
                entities.append({"tag": entity.tag, **offsets})
            elif entity.username in people:
                entities.append({"account_id": str(people[entity.username]), **offsets})
        named = {account_id: username for username, account_id in people.items()}
        return store.Draft(self.text, entities, self.tags, audience, list_id, named, content_warning, place, media)


def _parse(text: str, policy: PostPolicy) -> _Parsed:
    """Parses a text. Raises Invalid where `clean_text` does, and for too many hashtags or mentions."""
    text = clean_text(text, policy.max_text_length)
    found = parse(text)
    tags = {entity.tag for entity in found if not isinstance(entity, Mention)}
    usernames = {entity.username for entity in found if isinstance(entity, Mention)}
    if len(tags) > policy.max_hashtags:
        limit = f"A post has at most {policy.max_hashtags} different hashtags."
        raise TooManyHashtags(limit)
    if len(usernames) > policy.max_mentions:
        limit = f"A post mentions at most {policy.max_mentions} people."
        raise TooManyMentions(limit)
    return _Parsed(text, found, sorted(tags), sorted(usernames))


def clean_text(text: str, max_length: int) -> str:
    """Returns the text as it is stored: without outer white space, with line feeds as line ends. Raises Invalid for a
    text that is too long (checked first), has no visible character or contains control characters. (Unassigned code
    points are allowed: they may be new emoji.)"""
    text = text.replace("\r\n", "\n").strip()
    if len(text) > max_length:
        raise TextTooLong(f"A post has at most {max_length} characters.", field="text")
    if is_blank(text):
        raise EmptyText("A post needs a text with a visible character.", field="text")
    if any(category(character) == "Cc" and character not in "\n\t" for character in text):
        raise ControlCharacters(field="text")
    return text


def _version(row: Row, usernames: Mapping[UUID, str]) -> Version:
    entities = entities_of(row["entities"], usernames)
    return Version(row["text"], entities, row["content_warning"], Audience(row["audience"]), row["created_at"])


def _check_audience(audience: Audience, list_id: UUID | None) -> None:
    if (audience is Audience.LIST) != (list_id is not None):
        raise ListMismatch


def _tag(text: str) -> str:
    tag = tag_of(text)
    if tag is None:
        raise BadHashtag
    return tag
