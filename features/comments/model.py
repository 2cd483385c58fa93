"""The data of comments, and their representation for a reader."""

from datetime import datetime
from enum import StrEnum
from typing import TypedDict

from features.counters.model import ReactionsView
from features.posts.model import Author, Entity


class Commenters(StrEnum):
    """Who may comment on a post, of those who see it. Its author always may."""

    EVERYBODY = "everybody"
    CONNECTIONS = "connections"
    """The accounts in the author's connections: friends on one brand, followers on the other."""
    NOBODY = "nobody"


class CommentOrder(StrEnum):
    """The order of a level."""

    RELEVANCE = "relevance"
    """Most reactions and replies first, then newest first. Both are counted within seconds."""
    NEWEST = "newest"
    OLDEST = "oldest"


class CommentView(TypedDict):
    """A comment as one reader sees it: JSON, member by member and in this order. A deleted comment that has replies is
    shown without author and text."""

    id: str
    post_id: str
    parent_id: str | None
    depth: int
    author: Author | None
    text: str | None
    entities: list[Entity]
    hidden: bool
    """Shown to its author and to the post's author only."""
    created_at: datetime
    edited_at: datetime | None
    replies: int
    reactions: ReactionsView
