"""What every change of a comment does: counts, and the fields of its event."""

from datetime import datetime
from typing import Any
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.comments import store
from features.comments.events import CommentDeleted
from features.comments.store import Row
from features.counters.model import COMMENTS
from features.counters.queries import add
from features.events import publish


async def remove(uow: UnitOfWork, row: Row, now: datetime) -> None:
    """Deletes the comment of a row of the store."""
    removed = await store.remove(uow, UUID(row["id"]))
    if not row["hidden"]:
        await count(uow, row, -1)
    publish(uow, CommentDeleted(**fields_of(row), removed=tuple(removed)), now)


async def count(uow: UnitOfWork, row: Row, change: int) -> None:
    """Adds to the counts of a comment's post and of the comment that it replies to."""
    targets = [UUID(row["post_id"]), *([UUID(row["parent_id"])] if row["parent_id"] else [])]
    await add(uow, targets, COMMENTS, UUID(row["id"]), change)


def fields_of(row: Row) -> dict[str, Any]:
    """Returns the fields of a CommentEvent."""
    mentions = {UUID(entity["account_id"]) for entity in row["entities"] or () if "account_id" in entity}
    return {
        "post_id": UUID(row["post_id"]),
        "comment_id": UUID(row["id"]),
        "parent_id": UUID(row["parent_id"]) if row["parent_id"] else None,
        "author_id": UUID(row["author_id"]),
        "mentions": tuple(sorted(mentions)),
        "created_at": row["created_at"],
    }
