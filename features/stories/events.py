"""The events of this slice. They leave the text out: consumers read it under the rules of privacy.py. That a story
expires is no event: `expires_at` says when."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from cluster.events.event import Event
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
    version: ClassVar[int] = 2
    mentions: tuple[UUID, ...]
    """Who is mentioned, whether they may see the story or not."""

    @classmethod
    def upgrade(cls, event: Event) -> dict[str, Any]:
        """Version 1 had no mentions: there were none."""
        return {**event.payload, "mentions": []} if event.version == 1 else EventBody.upgrade(event)


@dataclass(frozen=True, slots=True)
class StoryDeleted(StoryEvent):
    """By its author, before or after it expired, or with the author's account."""

    type: ClassVar[str] = "stories.deleted"


EVENTS = (StoryCreated, StoryDeleted)
