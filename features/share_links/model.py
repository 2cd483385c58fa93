"""The data of links to posts."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from features.paging import Cursor


@dataclass(frozen=True, slots=True)
class ShareLink:
    """A link to a post, as whoever made it sees it."""

    id: UUID
    post_id: UUID
    token: str
    created_at: datetime
    expires_at: datetime

    def cursor(self) -> Cursor:
        return Cursor(self.created_at, self.id)
