"""Converts rows to comments as one reader sees them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.comments.model import CommentOrder, CommentView
from features.comments.store import Row
from features.counters import queries as counters
from features.counters.model import COMMENTS, reactions_view
from features.paging import Cursor
from features.posts.views import author_of, entities_of, mentioned

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


async def views(uow: UnitOfWork, viewer_id: UUID | None, rows: Sequence[Row]) -> list[CommentView]:
    """Converts rows. Costs one statement if a comment mentions somebody, otherwise none."""
    usernames = await mentioned(uow, viewer_id, [row["entities"] for row in rows])
    shown: list[CommentView] = []
    for row in rows:
        counted, entities = counters.counted(row), row["entities"]
        shown.append(
            {
                "id": row["id"],
                "post_id": row["post_id"],
                "parent_id": row["parent_id"],
                "depth": row["depth"],
                "author": author_of(row) if row["author_id"] else None,
                "text": row["text"],
                "entities": entities_of(entities, usernames) if entities else [],
                "hidden": row["hidden"],
                "created_at": row["created_at"],
                "edited_at": row["edited_at"],
                "replies": counted.counts.get(COMMENTS, 0),
                "reactions": reactions_view(counted),
            }
        )
    return shown


def cursor_of(row: Row, order: CommentOrder) -> Cursor:
    """Returns the cursor of the page after a row."""
    return cursor_at(row["score"] if order is CommentOrder.RELEVANCE else row["created_at"], UUID(row["id"]), order)


def cursor_at(at: Any, id: UUID, order: CommentOrder) -> Cursor:
    """Returns the cursor of a sort key. By relevance, it has the score where others have a time."""
    return Cursor(_EPOCH + at * _MICROSECOND if order is CommentOrder.RELEVANCE else at, id)


def sort_key(cursor: Cursor | None, order: CommentOrder) -> tuple[Any, UUID] | None:
    """Returns what `store.level` goes on from."""
    if cursor is None:
        return None
    if order is CommentOrder.RELEVANCE:
        return min((cursor.at - _EPOCH) // _MICROSECOND, 2**31 - 1), cursor.id
    return cursor.at, cursor.id
