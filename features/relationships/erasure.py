"""Erases an account's relationships, and takes it out of the counts of others."""

from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.account_rows import erase_rows
from features.events import publish
from features.relationships import store
from features.relationships.events import Disconnected
from features.relationships.tables import OTHER_TABLES


async def erase(uow: UnitOfWork, account_id: UUID, limit: int, now: datetime) -> bool:
    """Erases about `limit` rows of an account. Returns whether rows may be left."""
    others = await store.connected_accounts(uow, account_id, limit)
    if not others:
        return await erase_rows(uow, OTHER_TABLES, account_id, limit)
    await store.lock(uow, account_id)
    for ended in await store.disconnect_all(uow, account_id, others):
        publish(uow, Disconnected(ended["owner_id"], ended["viewer_id"]), now)
    return True
