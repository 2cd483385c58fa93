"""SQL of counters. Reactions and their counts change in one statement, whoever changes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.accounts.queries import stays_active
from features.bounded_lists import Found, looked_at, split, with_bound
from features.counters.model import REACTION_KINDS, Counted, ReactionKind, Reactor, Target, TargetKind
from features.counters.queries import columns, counted, counts
from features.paging import PageRequest
from features.profiles.queries import joined, person_columns, person_of
from features.relationships.visibility import apart

_ADD = """
insert into target_counts as stored (target_id, name, shard, count)
select target_id, name, 0, change from (
    select target_id, name, sum(change) as change from ({changes}) as each group by target_id, name
) as summed
where change <> 0 order by target_id, name
on conflict (target_id, name, shard) do update set count = stored.count + excluded.count
"""
"""Adds to counts, which are locked in the order of their keys."""


@dataclass(frozen=True, slots=True)
class Change:
    """A reaction to be stored; `kind` None: to be removed."""

    target: Target
    account_id: UUID
    kind: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Changed:
    """A reaction that was stored or removed (`kind` None), and the one that it replaced."""

    target_id: UUID
    account_id: UUID
    kind: ReactionKind | None
    previous: ReactionKind | None


# What is replaced is read in the statement that replaces it. The target has one writer, so nothing comes between.
_CHANGE = f"""
with change as materialized (
    select change.* from unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::timestamptz[])
        as change (target_id, target_kind, account_id, kind, at)
    where {stays_active("change.account_id")}
), before as materialized (
    select target_id, account_id, reactions.kind from change join reactions using (target_id, account_id)
), removed as (
    delete from reactions using change
    where reactions.target_id = change.target_id and reactions.account_id = change.account_id and change.kind is null
), stored as (
    insert into reactions (target_id, target_kind, account_id, kind, created_at)
    select target_id, target_kind, account_id, kind, at from change where kind is not null
    on conflict (target_id, account_id) do update set kind = excluded.kind, created_at = excluded.created_at
    where reactions.kind <> excluded.kind
), added as (
    {
    _ADD.format(
        changes='''select target_id, kind as name, -1 as change from before
        union all select target_id, kind, 1 from change where kind is not null'''
    )
}
)
select target_id, account_id, change.kind, before.kind as previous
from change left join before using (target_id, account_id)
where change.kind is distinct from before.kind
"""


async def change(uow: UnitOfWork, changes: Sequence[Change]) -> list[Changed]:
    """Stores reactions, of each account to a target at most one. Returns those that changed something. Accounts that
    are not active are left out."""
    rows = await uow.fetch(
        _CHANGE,
        [change.target.id for change in changes],
        [change.target.kind for change in changes],
        [change.account_id for change in changes],
        [change.kind for change in changes],
        [change.at for change in changes],
    )
    return [Changed(row["target_id"], row["account_id"], _kind(row["kind"]), _kind(row["previous"])) for row in rows]


def _kind(text: str | None) -> ReactionKind | None:
    return None if text is None else ReactionKind(text)


async def lock(uow: UnitOfWork, target: Target) -> None:
    """Waits until no other unit of work that called this for the target is under way: where there are no entities, the
    one writer is whoever has the lock."""
    await uow.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", f"counters:{target.id}")


_READ = f"""
select target.id, {columns("target.id", "$2::uuid")} from unnest($1::uuid[]) as target (id)
"""


async def read(uow: UnitOfWork, target_ids: Sequence[UUID], viewer_id: UUID | None) -> dict[UUID, Counted]:
    """Returns the counts of targets, and the viewer's reactions to them. One statement."""
    rows = await uow.read(_READ, list(target_ids), viewer_id)
    return {row["id"]: counted(row) for row in rows}


_LOAD = f"""
select target.id, {counts("target.id")} as counts, reactions.accounts, reactions.kinds
from unnest($1::uuid[]) as target (id) cross join lateral (
    select array_agg(account_id) as accounts, array_agg(kind) as kinds
    from (select account_id, kind from reactions where target_id = target.id limit $2 + 1) as loaded
) as reactions
"""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The counters of a target as they are stored. `reactions` is None if they are more than were asked for."""

    counts: dict[str, int]
    reactions: dict[bytes, str] | None


async def load(uow: UnitOfWork, target_ids: Sequence[UUID], max_reactions: int) -> dict[UUID, Loaded]:
    """Returns the counters of targets. One statement."""
    return {
        row["id"]: Loaded(row["counts"] or {}, _reactions(row, max_reactions))
        for row in await uow.fetch(_LOAD, list(target_ids), max_reactions)
    }


def _reactions(row: Any, max_reactions: int) -> dict[bytes, str] | None:
    accounts: Sequence[UUID] = row["accounts"] or ()
    if len(accounts) > max_reactions:
        return None
    return {account.bytes: kind for account, kind in zip(accounts, row["kinds"] or (), strict=True)}


_OF_ACCOUNTS = "select account_id, kind from reactions where target_id = $1 and account_id = any($2::uuid[])"


async def reactions_of(uow: UnitOfWork, target_id: UUID, account_ids: Sequence[UUID]) -> dict[bytes, str | None]:
    """Returns the reactions of accounts to a target; None for those that have none."""
    found = {row["account_id"]: row["kind"] for row in await uow.fetch(_OF_ACCOUNTS, target_id, list(account_ids))}
    return {account_id.bytes: found.get(account_id) for account_id in account_ids}


_REACTOR = f"""
    select visible.account_id as id, {person_columns("reactor")}, visible.kind, visible.created_at
    from visible {joined("reactor", "visible.account_id")}"""


def _reactors(source: str) -> str:
    in_list = f"""{source} and (created_at, account_id)
        < (coalesce($3::timestamptz, 'infinity'), coalesce($4::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))"""
    shown = f"select true where not {apart('$2::uuid', 'reactions.account_id')}"
    order = "created_at desc, account_id desc"
    return f"""
with {looked_at("reactions", in_list, order=order, shown=shown, limit="$5")}
{with_bound(_REACTOR, at="created_at", id="account_id", order="shown.created_at desc, shown.id desc")}
"""


# The index has the newest of each kind, which Postgres merges.
_OF_EACH_KIND = " union all ".join(
    f"select * from reactions where target_id = $1 and kind = '{kind}'" for kind in REACTION_KINDS
)
_OF_ALL_KINDS = _reactors(f"({_OF_EACH_KIND}) as reactions where true")
_OF_ONE_KIND = _reactors("reactions where target_id = $1 and kind = $6")


async def reactors(
    uow: UnitOfWork, target_id: UUID, viewer_id: UUID | None, kind: ReactionKind | None, page: PageRequest
) -> Found:
    """Returns who reacted to a target, newest first, without those who are apart from the viewer: one more than the
    page holds, for `reactor_of`."""
    cursor = (page.cursor.at, page.cursor.id) if page.cursor else (None, None)
    arguments = (target_id, viewer_id, *cursor, page.limit + 1)
    return split(await (uow.fetch(_OF_ONE_KIND, *arguments, kind) if kind else uow.fetch(_OF_ALL_KINDS, *arguments)))


def reactor_of(row: Any) -> Reactor:
    """Converts a row of `reactors`."""
    return Reactor(person_of(row, row["id"]), ReactionKind(row["kind"]), row["created_at"])


# --- what others than the entities write --------------------------------------------------------------------------

_ERASE = f"""
with gone as (
    delete from reactions where ctid = any(array(
        select ctid from reactions where account_id = $1 limit $2 for update
    ))
    returning target_id, target_kind, kind
), added as (
    {_ADD.format(changes="select target_id, kind as name, -1 as change from gone")}
)
select target_id, target_kind from gone
"""


async def erase(uow: UnitOfWork, account_id: UUID, limit: int) -> list[Target]:
    """Deletes up to `limit` reactions of an account, and takes them out of the counts. Returns their targets."""
    rows = await uow.fetch(_ERASE, account_id, limit)
    return [Target(TargetKind(row["target_kind"]), row["target_id"]) for row in rows]


_FORGET = """
delete from reactions where ctid = any(array(
    select ctid from reactions where target_id = any($1::uuid[]) limit $2 for update
))
"""


async def forget(uow: UnitOfWork, target_ids: Sequence[UUID], limit: int) -> bool:
    """Deletes up to `limit` reactions to targets that are deleted, and in the end their counts. Returns whether some
    may be left."""
    if await uow.execute(_FORGET, list(target_ids), limit) == f"DELETE {limit}":
        return True
    await uow.execute("delete from target_counts where target_id = any($1::uuid[])", list(target_ids))
    return False
