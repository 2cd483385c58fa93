"""The events of this slice. They leave the text out: consumers read it under the rules of privacy.py. That a story
expires is no event: `expires_at` says when."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from features.events import EventBody
from features.posts.model import Audience


@dataclass(frozen=True, slots=True)
class StoryEvent(EventBody):
    """Something happened to a story."""

    key: ClassVar[str] = "story_id"
    story_id: UUID
    author_id: UUID
    audience: Audience
    list_id: UUID | None
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class StoryCreated(StoryEvent):
    type: ClassVar[str] = "stories.created"


@dataclass(frozen=True, slots=True)
class StoryDeleted(StoryEvent):
    """By its author, before or after it expired, or with the author's account."""

    type: ClassVar[str] = "stories.deleted"


EVENTS = (StoryCreated, StoryDeleted)
