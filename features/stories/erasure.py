"""Erases an account's stories as if their author had deleted each of them, and what it has seen of others."""

from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.stories import highlight_store, store
from features.stories.changes import publish_deleted


async def erase(uow: UnitOfWork, account_id: UUID, limit: int, now: datetime) -> bool:
    """Erases about `limit` views, highlights or stories of an account. Returns whether there may be more."""
    if await store.forget_viewer(uow, account_id, None, limit) or await highlight_store.erase(uow, account_id, limit):
        return True
    rows = await store.delete_some(uow, account_id, limit)
    for row in rows:
        publish_deleted(uow, row, now)
    return bool(rows)


async def forget_views_between(uow: UnitOfWork, one: UUID, other: UUID, _now: datetime) -> None:
    """Takes two people out of each other's lists of viewers: one has blocked the other."""
    for viewer_id, author_id in ((one, other), (other, one)):
        await store.forget_viewer(uow, viewer_id, author_id, None)
