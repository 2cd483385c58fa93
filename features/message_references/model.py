"""The data of references."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from uuid import UUID

from features.posts.model import PostView
from features.stories.model import StoryView


class ReferenceKind(IntEnum):
    """What a message does with what it refers to. Values are part of the tokens: they never change."""

    SHARED_POST = 1
    SHARED_STORY = 2
    STORY_REPLY = 3


@dataclass(frozen=True, slots=True)
class Reference:
    """What a token says: `by` was allowed at a time to refer to a post or a story (`target_id`) in a message."""

    kind: ReferenceKind
    target_id: UUID
    by: UUID
    at: datetime
    """Whole microseconds."""


@dataclass(frozen=True, slots=True)
class Referred:
    """A reference, and what it refers to as its reader sees it: a post or a story."""

    reference: Reference
    post: PostView | None = None
    story: StoryView | None = None
