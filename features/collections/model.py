"""The data of collections."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from features.paging import Cursor


@dataclass(frozen=True, slots=True)
class Collection:
    """A named set of saved posts."""

    id: UUID
    name: str
    created_at: datetime

    def cursor(self) -> Cursor:
        return Cursor(self.created_at, self.id)


@dataclass(frozen=True, slots=True)
class SavedPost:
    """When an account saved a post, and the collections that have it."""

    saved_at: datetime
    collection_ids: list[UUID]
