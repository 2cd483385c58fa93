"""SQL of follows: the counts per day. The follows themselves are connections."""

from datetime import date
from uuid import UUID

from cluster.postgres import UnitOfWork

_COUNT = """
insert into follow_days as counted (account_id, day, follows) values ($1, $2, 1)
on conflict (account_id) do update set
    follows = case when counted.day = excluded.day then counted.follows + 1 else 1 end, day = excluded.day
returning follows
"""


async def count_follow(uow: UnitOfWork, account_id: UUID, day: date) -> int:
    """Counts a follow. Returns how many the account has made that day."""
    return int(await uow.fetchval(_COUNT, account_id, day))
