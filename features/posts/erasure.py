"""Erases an account's posts as if their author had deleted each of them, and takes the account out of its votes."""

from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.paging import PageRequest
from features.posts import poll_store, store
from features.posts.changes import publish_deleted


async def erase(uow: UnitOfWork, account_id: UUID, limit: int, now: datetime) -> bool:
    """Erases about `limit` posts or votes of an account. Returns whether there may be more."""
    if await poll_store.forget_voter(uow, account_id, limit):
        return True
    rows = await store.of_author(uow, account_id, account_id, PageRequest(limit))
    deleted = await store.delete_many(uow, [UUID(row["id"]) for row in rows], account_id)
    for row in rows:
        if row["id"] in deleted:
            publish_deleted(uow, row, now)
    return bool(rows)
