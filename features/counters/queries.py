"""Parts of SQL statements on counters, for statements of other slices. Arguments are SQL expressions."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.counters.model import Counted


def columns(target: str, viewer: str) -> str:
    """Returns the columns that `counted` reads: the counts of a target, and the viewer's own reaction to it."""
    return f"""{counts(target)} as counts,
        {reaction(target, viewer)} as own_reaction"""


def reaction(target: str, account: str) -> str:
    """Returns an expression: the kind of an account's reaction to a target, null for none."""
    return f"(select kind from reactions where target_id = {target} and account_id = {account})"


def counts(target: str) -> str:
    """Returns an expression: the counts of a target (jsonb, null for none)."""
    return f"""(select jsonb_object_agg(name, count) from (
            select name, sum(count) as count from target_counts where target_id = {target} group by name
        ) as named)"""


def total(target: str) -> str:
    """Returns an expression: the sum of all counts of a target, null for none."""
    return f"(select sum(count) from target_counts where target_id = {target})"


SHARDS = 8
"""Of a count that people change in transactions of their own: so many can go on at once."""

_ADD = """
insert into target_counts as stored (target_id, name, shard, count)
select target_id, $2, $3, $4 from unnest($1::uuid[]) as target (target_id) order by target_id
on conflict (target_id, name, shard) do update set count = stored.count + excluded.count
"""


async def add(uow: UnitOfWork, target_ids: Sequence[UUID], name: str, counted_id: UUID, change: int) -> None:
    """Adds to a count of targets. What is counted decides about the shard. The entities of the targets are to reload
    their counts after the commit (`CounterService.reload`)."""
    await uow.execute(_ADD, list(target_ids), name, counted_id.int % SHARDS, change)


def counted(row: Any) -> Counted:
    """Returns what a row with `columns` says."""
    found: Mapping[str, int] | None = row["counts"]
    return Counted(found or {}, row["own_reaction"])
