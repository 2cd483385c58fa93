"""Takes an account's reactions out of the counts of their targets."""

from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.counters import store
from features.counters.events import CountsCorrected
from features.events import publish


async def erase(uow: UnitOfWork, account_id: UUID, limit: int, now: datetime) -> bool:
    """Erases about `limit` reactions of an account. Returns whether there may be more."""
    targets = await store.erase(uow, account_id, limit)
    for target in targets:
        publish(uow, CountsCorrected(target.id, target.kind), now)
    return len(targets) == limit
