"""Publishes what happens to stories, from their rows."""

from datetime import datetime
from typing import Any
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.events import publish
from features.posts.model import Audience
from features.stories.events import StoryCreated, StoryDeleted
from features.stories.mentions import mentioned_accounts
from features.stories.store import Row


def publish_created(uow: UnitOfWork, row: Row, now: datetime) -> None:
    """Publishes that a story is created."""
    publish(uow, StoryCreated(**_fields(row), mentions=mentioned_accounts(row["mentions"])), now)


def publish_deleted(uow: UnitOfWork, row: Row, now: datetime) -> None:
    """Publishes that a story, as it was, is deleted."""
    publish(uow, StoryDeleted(**_fields(row)), now)


def _fields(row: Row) -> dict[str, Any]:
    return {
        "story_id": UUID(row["id"]),
        "author_id": UUID(row["author_id"]),
        "audience": Audience(row["audience"]),
        "list_id": UUID(row["list_id"]) if row["list_id"] else None,
        "created_at": row["created_at"],
        "expires_at": row["expires_at"],
    }
