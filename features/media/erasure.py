"""Erases an account's uploads and media. Objects that others have uploaded too stay, without a trace of the account."""

from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.media import store, upload_store
from features.media.model import part_key


async def erase(uow: UnitOfWork, account_id: UUID, limit: int, now: datetime) -> bool:
    """Erases about `limit` uploads and media of an account. Returns whether there may be more."""
    media_ids = await store.ids_of_account(uow, account_id, limit)
    await store.delete(uow, media_ids, account_id, now)
    upload_ids = await upload_store.of_account(uow, account_id, limit)
    parts = await upload_store.delete(uow, upload_ids)
    await store.discard(uow, [part_key(part_id) for part_id in parts], now)
    return bool(media_ids or upload_ids)
