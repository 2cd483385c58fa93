"""Erases an account's backup."""

from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.backups import store
from features.media import garbage


async def erase(uow: UnitOfWork, account_id: UUID, limit: int, now: datetime) -> bool:
    """Erases the backup and up to `limit` of its segments. Returns whether there may be more."""
    keys = await store.delete(uow, account_id, limit)
    await garbage.discard(uow, keys, now)
    return len(keys) == limit
