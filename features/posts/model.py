"""The data of posts, and their representation for a reader."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, TypedDict
from uuid import UUID

from features.counters.model import ReactionsView
from features.paging import Cursor
from features.profiles.model import Avatar, Person


class Audience(StrEnum):
    """The audience that the author chose for a post. privacy.py decides whether a reader belongs to it."""

    PUBLIC = "public"
    CONNECTIONS = "connections"
    """The accounts in the author's connections: friends on one brand, followers on the other."""
    CLOSE_FRIENDS = "close_friends"
    LIST = "list"
    """The members of one of the author's lists."""
    ONLY_ME = "only_me"


# The JSON of responses, member by member and in this order. They are dictionaries because lists of fifty posts are
# built and serialised often: that costs a quarter of what dataclasses cost.


class HashtagEntity(TypedDict):
    """A hashtag in a text, at code points `start` to `end` (exclusive), the ``#`` included. `tag` is normalised."""

    kind: Literal["hashtag"]
    tag: str
    start: int
    end: int


class MentionEntity(TypedDict):
    """A mention in a text, at code points `start` to `end` (exclusive), the ``@`` included."""

    kind: Literal["mention"]
    account_id: str
    username: str
    start: int
    end: int


Entity = HashtagEntity | MentionEntity


class Author(TypedDict):
    """The author of a post."""

    id: str
    username: str
    name: str
    avatar: Avatar | None


class Place(TypedDict):
    """Where a post says that it is about or from. Coordinates are degrees (WGS 84), rounded; both or none are null."""

    name: str
    latitude: float | None
    longitude: float | None


class AttachedVideo(TypedDict):
    """What a video of a post or story has and an image has not."""

    state: str
    """A value of VideoState."""
    duration_ms: int | None


class Appearance(TypedDict):
    """What is known of how a medium of a post looks. Sizes are in pixels; those of a video are null until its first
    quality is there."""

    width: int | None
    height: int | None
    blurhash: str | None
    """Of a video, that of its poster."""
    widths: list[int]
    """Of an image's files, ascending; none of a video."""
    video: AttachedVideo | None
    """Null for an image."""


class Attachment(Appearance):
    """A medium of a post as it is stored with it."""

    id: str
    alt: str
    """What it shows, for people who do not see it; empty: not described."""


class AttachmentView(Attachment):
    """A medium of a post as readers see it."""

    path: str | None
    """Where everybody reads its files, relative to the API's address; None unless the post is public."""


class VersionAttachment(Attachment):
    """A medium of a version of a post as one reader sees it."""

    path: str
    """Where its files are, relative to the API's address: for everybody, or for this reader until `expires_at`."""
    expires_at: datetime | None


class PollDefinition(TypedDict):
    """A poll as it is stored with its post."""

    options: list[str]
    multiple: bool
    """Whether a vote may have several choices."""
    closes_at: str
    """UTC, in the form in which it is sent."""
    min_voters: int
    """Voters below whose number results are not shown."""


class PollOption(TypedDict):
    """An option of a poll; `votes` is null while the reader may not see results."""

    text: str
    votes: int | None


class PollView(TypedDict):
    """A poll as one reader sees it (polls.py)."""

    options: list[PollOption]
    multiple: bool
    closes_at: str
    closed: bool
    voters: int | None
    """Number of people who voted; null while the reader may not see results."""
    own_choices: list[int] | None
    """What the reader chose, as positions in `options`; null: the reader has not voted."""


class LinkPreview(TypedDict):
    """What the page that a post links to says about itself (link_previews.py)."""

    url: str
    title: str
    description: str | None
    site_name: str | None


class PostContent(TypedDict):
    """What a post has whether it is shown by itself or in another one, as one reader sees it. Ids are strings, as in
    JSON; times are in UTC."""

    id: str
    author: Author
    text: str
    entities: list[Entity]
    audience: str
    """A value of Audience."""
    list_id: str | None
    """The list of an audience `list`; shown to the author only."""
    content_warning: str | None
    place: Place | None
    pinned: bool
    """Whether the author has pinned it to the profile."""
    media: list[AttachmentView]
    link: LinkPreview | None
    """Of the first link in the text; null until it is fetched, and where there is nothing to show."""
    created_at: datetime
    edited_at: datetime | None


class ShareKind(StrEnum):
    """How a post shares another one: with a text of its own, or without."""

    QUOTE = "quote"
    REPOST = "repost"


class PostNumbers(TypedDict):
    """What of a post is counted, and the reader's own marks: what the feed in memory adds to what it has rendered for
    all."""

    reposted: bool
    """Whether the reader has reposted it."""
    saved: bool
    """Whether the reader has saved it. Nobody else learns it."""
    comments: int
    """How many there are, replies included; without those that are hidden."""
    reposts: int
    quotes: int
    """How many public ones there are."""
    reactions: ReactionsView


class SharedContent(PostContent, PostNumbers):
    """A post in one that shares it."""

    poll: PollView | None


class SharedPost(TypedDict):
    """What a post shares."""

    kind: str
    """A value of ShareKind."""
    post: SharedContent | None
    """Null where the reader may not see it, for whatever reason: it may be deleted, too."""


class PostView(PostContent, PostNumbers):
    """A post as one reader sees it. A repost is a post of its own, which people may react to and comment on, too."""

    shared: SharedPost | None
    poll: PollView | None


@dataclass(frozen=True, slots=True)
class Reposter:
    """Somebody who reposted a post, and when."""

    person: Person
    repost_id: UUID
    at: datetime

    def cursor(self) -> Cursor:
        return Cursor(self.at, self.repost_id)


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a post, from `created_at` until the next version."""

    text: str
    entities: list[Entity]
    content_warning: str | None
    media: list[VersionAttachment] | None
    """None: not recorded."""
    audience: Audience
    created_at: datetime


@dataclass(frozen=True, slots=True)
class HashtagUse:
    """The number of public posts of a day (UTC) with a hashtag."""

    day: str
    posts: int


@dataclass(frozen=True, slots=True)
class HashtagCounts:
    """How much a hashtag is used in public posts."""

    tag: str
    posts: int
    days: list[HashtagUse]
