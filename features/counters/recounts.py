"""How the counts of targets are compared with what they count, for the slices of targets and of what is counted."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.counters.events import CountsCorrected
from features.counters.model import REACTION_KINDS, TargetKind
from features.events import publish
from features.stored_counts import CORRECTIONS, StoredCounts

_REACTIONS = "select target_id, kind as name from reactions where target_id = any($1::uuid[])"


def target_counts(
    name: str, kind: TargetKind, names: Sequence[str], *, next: str, existing: str, rows: str
) -> StoredCounts:
    """Returns the counts of these names of targets of a kind. `next` as in StoredCounts. `existing` is a query of those
    of the targets $1 (id) that are not deleted: of others, rows and counts are being deleted. `rows` is a query of what
    is counted of the targets $1: (target_id, name)."""

    def statement(source: str, end: str = "") -> str:
        listed = ", ".join(f"'{each}'" for each in names)
        return f"""
with counted as (
    select target_id, name, count(*) as count from ({rows}) as each group by target_id, name
), stored as (
    select target_id, name, sum(count) as count from target_counts
    where target_id = any($1::uuid[]) and name in ({listed}) group by target_id, name
), wrong as materialized (
    select target_id as id, name, coalesce(stored.count, 0) as stored, coalesce(counted.count, 0) as counted
    from counted full join stored using (target_id, name)
    where coalesce(stored.count, 0) <> coalesce(counted.count, 0) and target_id in ({existing})
){end}
select id, name, stored::text as stored, counted::text as counted from {source}
"""

    corrected = f""", kept as materialized (
    select wrong.* from wrong where id in ({existing} order by id for key share)
), corrected as (
    insert into target_counts as counts (target_id, name, shard, count)
    select id, name, {CORRECTIONS}, counted - stored from kept order by id, name
    on conflict (target_id, name, shard) do update set count = counts.count + excluded.count
)"""

    def publish_corrected(uow: UnitOfWork, ids: Sequence[UUID], now: datetime) -> None:
        for id in ids:
            publish(uow, CountsCorrected(id, kind), now)

    return StoredCounts(name, next, statement("wrong"), statement("kept", corrected), publish_corrected)


def reaction_counts(kind: TargetKind, *, next: str, existing: str) -> StoredCounts:
    """Returns the counts of reactions to targets of a kind."""
    return target_counts(f"reactions to a {kind}", kind, REACTION_KINDS, next=next, existing=existing, rows=_REACTIONS)
