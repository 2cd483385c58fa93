"""Publishes what happens to posts, from their rows, and counts what they share."""

from datetime import datetime
from typing import Any
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.events import publish
from features.posts import share_store
from features.posts.events import PostCreated, PostDeleted, PostEdited, PostShared, PostState, PostUnshared
from features.posts.model import Audience, ShareKind
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


async def publish_created(uow: UnitOfWork, row: Row, now: datetime) -> None:
    """Publishes that a post is created, and counts what it shares."""
    publish(uow, PostCreated(**_fields(row)), now)
    if _is_counted(row):
        await _share(uow, row, 1, now)


async def publish_edited(uow: UnitOfWork, row: Row, before: Row, now: datetime) -> None:
    """Publishes that a post, as it was before, is changed."""
    publish(uow, PostEdited(**_fields(row), previous=PostState(**state_of(before))), now)
    if change := _is_counted(row) - _is_counted(before):
        await _share(uow, row, change, now)


async def publish_deleted(uow: UnitOfWork, row: Row, now: datetime) -> None:
    """Publishes that a post, as it was, is deleted."""
    publish(uow, PostDeleted(**_fields(row)), now)
    if _is_counted(row):
        await _share(uow, row, -1, now)


def publish_undone(uow: UnitOfWork, row: Row, now: datetime) -> None:
    """Publishes that a repost, as it was, is deleted with what it shared: its counts are deleted, too, and nobody sees
    any longer whether they have reposted it."""
    publish(uow, PostDeleted(**_fields(row)), now)


def _is_counted(row: Row) -> bool:
    """Returns whether a post counts as a repost or quote of what it shares. Quotes that are not public do not: their
    number would tell that there are some."""
    return row["shared_id"] is not None and row["audience"] == Audience.PUBLIC


async def _share(uow: UnitOfWork, row: Row, change: int, now: datetime) -> None:
    post_id, share_id = UUID(row["shared_id"]), UUID(row["id"])
    kind = ShareKind.REPOST if row["is_repost"] else ShareKind.QUOTE
    await share_store.count(uow, post_id, kind, share_id, change)
    event = PostShared if change > 0 else PostUnshared
    publish(uow, event(post_id, share_id, UUID(row["author_id"]), kind), now)
