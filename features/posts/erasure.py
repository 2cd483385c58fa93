"""Erases an account's posts as if their author had deleted each of them, and takes the account out of its votes;
deletes its drafts."""

from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.paging import PageRequest
from features.posts import draft_store, poll_store, store
from features.posts.changes import publish_deleted


async def erase(uow: UnitOfWork, account_id: UUID, limit: int, now: datetime) -> bool:
    """Erases about `limit` posts, drafts or votes of an account. Returns whether there may be more."""
    if await poll_store.forget_voter(uow, account_id, limit) or await draft_store.erase(uow, account_id, limit):
        return True
    rows = await store.of_author(uow, account_id, account_id, PageRequest(limit))
    deleted = await store.delete_many(uow, [UUID(row["id"]) for row in rows], account_id)
    # In the order of what they share, whose counts are changed: so do others who change several.
    for row in sorted(rows, key=lambda row: row["shared_id"] or ""):
        if row["id"] in deleted:
            await publish_deleted(uow, row, now)
    return bool(rows)
