"""What a post is, and how it looks to the one who reads it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, TypedDict


class Audience(StrEnum):
    """Whom the author chose to show a post to. Who that is for one reader is decided in privacy.py."""

    PUBLIC = "public"
    CONNECTIONS = "connections"
    """Friends on one brand, followers on the other: the viewers in the author's connections."""
    CLOSE_FRIENDS = "close_friends"
    LIST = "list"
    """The members of one list of the author's own."""
    ONLY_ME = "only_me"


# What clients get, member by member and in this order. They are dictionaries because the hot lists are built and
# serialised fifty at a time: that costs a quarter of what dataclasses cost.


class HashtagEntity(TypedDict):
    """A hashtag in a text, at code points `start` to `end` (exclusive), the ``#`` included. `tag` is normalised."""

    kind: Literal["hashtag"]
    tag: str
    start: int
    end: int


class MentionEntity(TypedDict):
    """A person named in a text, at code points `start` to `end` (exclusive), the ``@`` included."""

    kind: Literal["mention"]
    account_id: str
    username: str
    start: int
    end: int


Entity = HashtagEntity | MentionEntity


class Author(TypedDict):
    """Who wrote a post."""

    id: str
    username: str
    name: str


class PostView(TypedDict):
    """A post as one reader sees it. Ids are texts (what JSON has); times are in UTC."""

    id: str
    author: Author
    text: str
    entities: list[Entity]
    audience: str
    """A value of Audience."""
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
