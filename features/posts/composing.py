"""Makes what is stored of what an author writes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from unicodedata import category
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.media.service import MediaService
from features.posts import store
from features.posts.attachments import MediaDraft, attachments_of, clean_media
from features.posts.errors import (
    ListMismatch,
    NoSuchPost,
    NotShareable,
    TooManyHashtags,
    TooManyMentions,
    UnknownQuotedPost,
)
from features.posts.labels import clean_content_warning, clean_place
from features.posts.model import Attachment, Audience, Place, SharedContent
from features.posts.policy import PostPolicy
from features.posts.polls import PollDraft, define_poll
from features.posts.sharing import Shares
from features.posts.text import Hashtag, Mention, parse
from features.profiles.model import Person
from features.profiles.service import ProfileService
from features.text import check_marks, is_blank
from features.text_errors import ControlCharacters, EmptyText, TextTooLong
from features.videos.service import VideoService


@dataclass(frozen=True, slots=True)
class Content:
    """What an author writes, as it came."""

    text: str
    audience: Audience
    list_id: UUID | None = None
    content_warning: str | None = None
    place: Place | None = None
    poll: PollDraft | None = None
    quoted_id: UUID | None = None
    media: Sequence[MediaDraft] = ()


@dataclass(frozen=True, slots=True)
class Composed:
    """What is stored of it, its author, and the post that it quotes, as the author sees that."""

    author: Person
    draft: store.Draft
    quoted: SharedContent | None


@dataclass(frozen=True, slots=True)
class Composer:
    """Checks what authors write."""

    policy: PostPolicy
    profiles: ProfileService
    shares: Shares
    media: MediaService
    videos: VideoService

    async def compose(
        self,
        uow: UnitOfWork,
        author_id: UUID,
        post_id: UUID,
        content: Content,
        now: datetime,
        *,
        attached: bool = False,
    ) -> Composed:
        """Returns what is stored of a post, and attaches its media to it; `attached` says whether it may have had some
        before. Raises Invalid and the errors of attached media; whether the list is the author's, it does not check."""
        check_audience(content.audience, content.list_id)
        parsed = parse_text(content.text, self.policy)
        warning = clean_content_warning(content.content_warning or "", self.policy)
        place = clean_place(content.place, self.policy) if content.place else None
        poll = define_poll(content.poll, self.policy, now) if content.poll else None
        author, people = await self.profiles.resolve_for(uow, author_id, parsed.usernames)
        attachments = list[Attachment]()
        if content.media or attached:
            attachments = await self.attach(uow, author_id, post_id, content.media, now)
        draft = parsed.draft(people, content.audience, content.list_id, warning, place, attachments)
        if content.poll is not None:
            draft = replace(draft, poll=poll, poll_duration_s=int(content.poll.duration.total_seconds()))
        if content.quoted_id is None:
            return Composed(author, draft, None)
        quoted = await self._quoted(uow, content.quoted_id, author_id, now)
        return Composed(author, replace(draft, quoted_id=UUID(quoted["id"])), quoted)

    async def attach(
        self,
        uow: UnitOfWork,
        author_id: UUID,
        post_id: UUID,
        drafts: Sequence[MediaDraft],
        now: datetime,
        *,
        keep_others: bool = False,
    ) -> list[Attachment]:
        """Has a post show media, and no others, unless its history keeps those. Raises Invalid, with the position of
        the first one that cannot be attached."""
        cleaned = clean_media(drafts, self.policy)
        ids = [each.media_id for each in cleaned]
        media = await self.media.attach(uow, author_id, post_id, ids, now, keep_others=keep_others)
        of_videos = [each.id for each in media if not each.media_type.is_image]
        videos = await self.videos.of_media(uow, of_videos) if of_videos else {}
        return attachments_of(cleaned, media, videos)

    async def _quoted(self, uow: UnitOfWork, post_id: UUID, author_id: UUID, now: datetime) -> SharedContent:
        """Returns a post that the author may quote, as the author sees it. Raises UnknownQuotedPost."""
        try:
            row = await self.shares.shareable(uow, post_id, author_id)
        except (NoSuchPost, NotShareable):
            raise UnknownQuotedPost from None
        return await self.shares.content(uow, row, author_id, now)


@dataclass(frozen=True, slots=True)
class Parsed:
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
        named = {str(account_id): username for username, account_id in people.items()}
        return store.Draft(self.text, entities, self.tags, audience, list_id, named, content_warning, place, media)


def parse_text(text: str, policy: PostPolicy) -> Parsed:
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
    return Parsed(text, found, sorted(tags), sorted(usernames))


def clean_text(text: str, max_length: int) -> str:
    """Returns the text as it is stored: without outer white space, with line feeds as line ends. Raises Invalid for a
    text that is too long (checked first), has no visible character or contains control characters or too many
    combining marks. (Unassigned code points are allowed: they may be new emoji.)"""
    text = text.replace("\r\n", "\n").strip()
    if len(text) > max_length:
        raise TextTooLong(f"A post has at most {max_length} characters.", field="text")
    if is_blank(text):
        raise EmptyText("A post needs a text with a visible character.", field="text")
    if any(category(character) == "Cc" and character not in "\n\t" for character in text):
        raise ControlCharacters(field="text")
    return check_marks(text, "text")


def check_audience(audience: Audience, list_id: UUID | None) -> None:
    if (audience is Audience.LIST) != (list_id is not None):
        raise ListMismatch
