"""The events of this slice. What somebody saves is for consumers of the platform, never for other accounts."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from features.events import EventBody


@dataclass(frozen=True, slots=True)
class SavedPostEvent(EventBody):
    """An account saved a post, or no longer saves it."""

    key: ClassVar[str] = "account_id"
    account_id: UUID
    post_id: UUID


@dataclass(frozen=True, slots=True)
class PostSaved(SavedPostEvent):
    type: ClassVar[str] = "collections.post_saved"


@dataclass(frozen=True, slots=True)
class PostUnsaved(SavedPostEvent):
    type: ClassVar[str] = "collections.post_unsaved"


EVENTS = (PostSaved, PostUnsaved)
