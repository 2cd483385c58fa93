"""The events of this slice. They leave the text out: consumers read it under the rules of privacy.py."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from features.events import EventBody


@dataclass(frozen=True, slots=True)
class CommentEvent(EventBody):
    """Something happened to a comment. Events of a post are in order."""

    key: ClassVar[str] = "post_id"
    post_id: UUID
    comment_id: UUID
    parent_id: UUID | None
    author_id: UUID
    mentions: tuple[UUID, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class CommentCreated(CommentEvent):
    type: ClassVar[str] = "comments.created"
    hidden: bool
    """By a word that the post's author filters."""


@dataclass(frozen=True, slots=True)
class CommentEdited(CommentEvent):
    type: ClassVar[str] = "comments.edited"


@dataclass(frozen=True, slots=True)
class CommentHidden(CommentEvent):
    """By the author of the post."""

    type: ClassVar[str] = "comments.hidden"


@dataclass(frozen=True, slots=True)
class CommentShown(CommentEvent):
    """No longer hidden."""

    type: ClassVar[str] = "comments.shown"


@dataclass(frozen=True, slots=True)
class CommentDeleted(CommentEvent):
    type: ClassVar[str] = "comments.deleted"
    removed: tuple[UUID, ...]
    """The comments that are not there any more: itself, unless replies keep its place, and places that only it kept."""


EVENTS = (CommentCreated, CommentEdited, CommentHidden, CommentShown, CommentDeleted)
