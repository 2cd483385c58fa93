"""Erases an account's comments as if it had deleted each of them, and its filter words."""

from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.comments import store
from features.comments.changes import remove

_AT_ONCE = 50
"""Comments of one transaction at most: each takes a few statements."""


async def erase(uow: UnitOfWork, account_id: UUID, limit: int, now: datetime) -> bool:
    """Erases some of an account's comments. Returns whether there may be more."""
    rows = await store.of_author(uow, account_id, min(limit, _AT_ONCE))
    for row in rows:
        await remove(uow, row, now)
    if not rows:
        await store.forget_words(uow, account_id)
    return bool(rows)
