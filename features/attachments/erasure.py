"""Erases an account's attachments: who has not downloaded them yet cannot any more."""

from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.attachments import store
from features.attachments.model import GARBAGE_DELAY, object_keys
from features.media import garbage

_AT_ONCE = 50
"""Each has up to about two hundred objects."""


async def erase(uow: UnitOfWork, account_id: UUID, limit: int, now: datetime) -> bool:
    """Erases up to `limit` attachments. Returns whether there may be more."""
    most = min(limit, _AT_ONCE)
    deleted = await store.delete_some(uow, account_id, most)
    keys = [key for each in deleted for key in object_keys(each.id, each.size)]
    await garbage.discard(uow, keys, now + GARBAGE_DELAY)
    return len(deleted) == most
