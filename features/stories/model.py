"""The data of stories, and their representation for a reader."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypedDict
from uuid import UUID

from features.counters.model import ReactionKind, ReactionsView
from features.paging import Cursor
from features.posts.attachments import MediaDraft
from features.posts.model import Attachment, Audience, Author, MentionEntity
from features.profiles.model import Person


@dataclass(frozen=True, slots=True)
class Sticker:
    """A mention on the image of a story, as it came. `x` and `y` are where its middle is, as fractions of the
    width and the height."""

    username: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class StoryContent:
    """What an author wants to publish, as it came."""

    text: str
    media: MediaDraft | None
    audience: Audience
    list_id: UUID | None = None
    stickers: Sequence[Sticker] = ()


# The JSON of responses, member by member and in this order.


class StoryMediaView(Attachment):
    """The image or video of a story as one reader sees it."""

    path: str
    """Where this reader reads its files, relative to the API's address."""
    path_expires_at: datetime


class StickerMention(TypedDict):
    """A mention on the image of a story (see Sticker)."""

    kind: Literal["sticker"]
    account_id: str
    username: str
    x: float
    y: float


StoryMention = MentionEntity | StickerMention


class StoryView(TypedDict):
    """A story as one reader sees it. Ids are strings, as in JSON; times are in UTC."""

    id: str
    author: Author
    text: str
    """Empty: an image or a video alone."""
    mentions: list[StoryMention]
    """In the text and on the image, without people whom the reader may not know."""
    media: StoryMediaView | None
    audience: str
    """A value of Audience."""
    list_id: str | None
    """The list of an audience `list`; shown to the author only."""
    created_at: datetime
    expires_at: datetime
    """When nobody but the author sees it any more: at that time, not after it."""
    seen: bool
    """Whether the reader has seen it; authors have seen their own."""
    may_reply: bool
    """Whether the reader may reply with a message; false for the author."""
    own_reaction: str | None
    """The kind of the reader's own reaction."""
    viewers: int | None
    """How many people have seen it; None for everybody but the author, like the reactions."""
    reactions: ReactionsView | None


class HighlightView(TypedDict):
    """A highlight as one reader sees it."""

    id: str
    author: Author
    title: str
    audience: str
    """A value of Audience: who sees its stories, whatever their own audiences are, for good."""
    list_id: str | None
    """Shown to the author only."""
    stories: int
    """How many it has."""
    created_at: datetime


@dataclass(frozen=True, slots=True)
class StoryViewer:
    """Somebody who has seen a story, when first, and the reaction to it."""

    person: Person
    at: datetime
    reaction: ReactionKind | None

    def cursor(self) -> Cursor:
        return Cursor(self.at, self.person.id)
