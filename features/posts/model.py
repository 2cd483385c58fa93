"""What a post is, and how it looks to the one who reads it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Audience(StrEnum):
    """Whom the author chose to show a post to. Who that is for one reader is decided in privacy.py."""

    PUBLIC = "public"
    CONNECTIONS = "connections"
    """Friends on one brand, followers on the other: the viewers in the author's connections."""
    CLOSE_FRIENDS = "close_friends"
    LIST = "list"
    """The members of one list of the author's own."""
    ONLY_ME = "only_me"


@dataclass(frozen=True, slots=True)
class HashtagEntity:
    """A hashtag in a text, at code points `start` to `end` (exclusive), the ``#`` included. `tag` is normalised."""

    tag: str
    start: int
    end: int
    kind: str = "hashtag"


@dataclass(frozen=True, slots=True)
class MentionEntity:
    """A person named in a text, at code points `start` to `end` (exclusive), the ``@`` included."""

    account_id: UUID
    username: str
    start: int
    end: int
    kind: str = "mention"


Entity = HashtagEntity | MentionEntity


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote a post."""

    id: str
    username: str
    name: str


@dataclass(frozen=True, slots=True)
class PostView:
    """A post as one reader sees it. The fields, in this order, are the members of the JSON object that clients get:
    the hot lists are serialised straight from it. Ids are texts (what JSON has); times are in UTC."""

    id: str
    author: Author
    text: str
    entities: list[Entity]
    audience: Audience
    list_id: str | None
    """The list of an audience `list`; only its author learns which one."""
    created_at: datetime
    edited_at: datetime | None


@dataclass(frozen=True, slots=True)
class Version:
    """What a post said from `created_at` until the next version."""

    text: str
    entities: list[Entity]
    audience: Audience
    created_at: datetime


@dataclass(frozen=True, slots=True)
class HashtagUse:
    """In how many public posts of a day (UTC) a hashtag is used."""

    day: str
    posts: int


@dataclass(frozen=True, slots=True)
class Hashtag:
    """A hashtag and how much it is used in public posts."""

    tag: str
    posts: int
    days: list[HashtagUse]
