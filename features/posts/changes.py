"""Publishes what happens to posts, from their rows."""

from datetime import datetime
from typing import Any
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.events import publish
from features.posts.events import PostCreated, PostDeleted, PostEdited, PostState
from features.posts.model import Audience
from features.posts.views import Row


def state_of(row: Row) -> dict[str, Any]:
    """Returns the fields of a PostState."""
    entities = row["entities"] or ()
    return {
        "audience": Audience(row["audience"]),
        "list_id": UUID(row["list_id"]) if row["list_id"] else None,
        "hashtags": tuple(sorted({entity["tag"] for entity in entities if "tag" in entity})),
        "mentions": tuple(sorted({UUID(entity["account_id"]) for entity in entities if "account_id" in entity})),
    }


def _fields(row: Row) -> dict[str, Any]:
    """Returns the fields of a PostEvent."""
    return {
        "post_id": UUID(row["id"]),
        "author_id": UUID(row["author_id"]),
        "created_at": row["created_at"],
        **state_of(row),
    }


def publish_created(uow: UnitOfWork, row: Row, now: datetime) -> None:
    """Publishes that a post is created."""
    publish(uow, PostCreated(**_fields(row)), now)


def publish_edited(uow: UnitOfWork, row: Row, before: Row, now: datetime) -> None:
    """Publishes that a post, as it was before, is changed."""
    publish(uow, PostEdited(**_fields(row), previous=PostState(**state_of(before))), now)


def publish_deleted(uow: UnitOfWork, row: Row, now: datetime) -> None:
    """Publishes that a post, as it was, is deleted."""
    publish(uow, PostDeleted(**_fields(row)), now)
