"""SQL of the key directory."""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from cluster.postgres import UnitOfWork
from crypto.directory import AccountKeys, Epoch
from features.account_rows import json_value
from features.devices.directory import stored_map
from features.devices.directory.model import DirectoryState, KeysVersion, StoredEpoch, Submission
from features.devices.directory.stored_log import Node
from features.devices.directory.stored_map import Subtree
from features.feature import ExportedRow

_EPOCH = "number, closed_at_ms, root, log_root, signature, log_key"
_NEWEST = f"select {_EPOCH} from key_directory_epochs order by number desc limit 1"


async def newest(uow: UnitOfWork) -> StoredEpoch | None:
    """Returns the newest epoch."""
    row = await uow.fetchrow(_NEWEST)
    return _epoch(row) if row else None


async def epochs(uow: UnitOfWork, first: int, last: int) -> list[StoredEpoch]:
    """Returns the epochs of these numbers, both included."""
    sql = f"select {_EPOCH} from key_directory_epochs where number between $1 and $2 order by number"
    return [_epoch(row) for row in await uow.fetch(sql, first, last)]


_LOCK = "select pg_try_advisory_xact_lock(hashtextextended('key_directory', 0))"


async def lock(uow: UnitOfWork) -> bool:
    """Makes this unit of work the only one that closes an epoch. Returns False if another one does."""
    return bool(await uow.fetchval(_LOCK))


# Each version of an account is shown by an epoch of its own, so that its owner sees all of them.
_SUBMITTED = """
select account_id, keys from device_key_versions as oldest where shown_in is null and not exists (
    select from device_key_versions as v
    where v.account_id = oldest.account_id and v.shown_in is null and v.number < oldest.number
) order by submitted_at, account_id limit $1
"""
_STATE = """
with clock as (select coalesce($1::bigint, (extract(epoch from clock_timestamp()) * 1000)::bigint) as now_ms)
select now_ms, (
        select count(*) from (
            select distinct account_id from device_key_versions where shown_in is null limit $2
        ) as account
    ) as waiting,
    (select count(*) from key_directory_epochs where closed_at_ms > now_ms - 3600000) as recent,
    (select closed_at_ms from key_directory_epochs order by number desc limit 1) as newest_ms
from clock
"""


async def state(uow: UnitOfWork, at: datetime | None, limit: int) -> DirectoryState:
    """Returns the state of the directory at a time, by default the present one of Postgres: the clocks of hosts differ.
    Counts up to `limit` accounts."""
    row = await uow.fetchrow(_STATE, None if at is None else milliseconds(at), limit)
    assert row is not None
    return DirectoryState(**row)


async def waits(uow: UnitOfWork) -> bool:
    """Returns whether something was submitted that no epoch shows yet."""
    return bool(await uow.fetchval("select exists (select from device_key_versions where shown_in is null)"))


async def submitted(uow: UnitOfWork, limit: int) -> list[Submission]:
    """Returns the oldest version of up to `limit` accounts that no epoch shows, those that have waited longest."""
    rows = await uow.fetch(_SUBMITTED, limit)
    return [Submission(row["account_id"], AccountKeys.decode(row["keys"])) for row in rows]


_CLOSE = f"""
with epoch as (insert into key_directory_epochs ({_EPOCH}) values ($1, $2, $3, $4, $5, $6)),
log as (
    insert into key_directory_log (level, position, hash)
    select * from unnest($7::integer[], $8::bigint[], $9::bytea[])
), map as (
    insert into key_directory_map (prefix, epoch, hash, index, commitment)
    select prefix, $1, hash, index, commitment
    from unnest($10::bytea[], $11::bytea[], $12::bytea[], $13::bytea[]) as new (prefix, hash, index, commitment)
)
update device_key_versions as v set shown_in = $1
from unnest($14::uuid[], $15::bigint[]) as shown (account_id, number)
where v.account_id = shown.account_id and v.number = shown.number
"""


async def close(
    uow: UnitOfWork,
    epoch: StoredEpoch,
    log: Mapping[Node, bytes],
    changed: Mapping[bytes, Subtree],
    shown: Sequence[Submission],
) -> None:
    """Writes an epoch with what it changes. One statement."""
    leaves = [subtree.leaf or (None, None) for subtree in changed.values()]
    await uow.execute(
        _CLOSE,
        *(epoch.epoch.number, epoch.epoch.timestamp, epoch.epoch.root),
        *(epoch.log_root, epoch.signature, epoch.log_key),
        *([level for level, _ in log], [position for _, position in log], list(log.values())),
        *(list(changed), [subtree.hash for subtree in changed.values()]),
        *([index for index, _ in leaves], [commitment for _, commitment in leaves]),
        *([each.account_id for each in shown], [each.keys.number for each in shown]),
    )


_NODES = """
select level, position, hash from unnest($1::integer[], $2::bigint[]) as asked (level, position)
join key_directory_log using (level, position)
"""


async def log_nodes(uow: UnitOfWork, nodes: Collection[Node]) -> dict[Node, bytes]:
    """Returns the hashes of nodes of the log. One statement, none for no nodes."""
    if not nodes:
        return {}
    rows = await uow.fetch(_NODES, [level for level, _ in nodes], [position for _, position in nodes])
    return {(row["level"], row["position"]): row["hash"] for row in rows}


_SUBTREES = """
select asked.prefix, found.hash, found.index, found.commitment from unnest($1::bytea[]) as asked (prefix)
cross join lateral (
    select hash, index, commitment from key_directory_map as m
    where m.prefix = asked.prefix and m.epoch <= $2 order by m.epoch desc limit 1
) as found
"""


async def subtrees(uow: UnitOfWork, indexes: Collection[bytes], epoch: int) -> dict[bytes, Subtree]:
    """Returns the subtrees on the paths of indexes as they are in an epoch: one statement for each 32 levels of the
    map."""
    found: dict[bytes, Subtree] = {}
    left, depth = set(indexes), 0
    while left:
        prefixes = {prefix for index in left for prefix in stored_map.path(index, depth)}
        for row in await uow.fetch(_SUBTREES, list(prefixes), epoch):
            found[row["prefix"]] = _subtree(row)
        left = {index for index in left if stored_map.goes_on(found, index, depth)}
        depth += stored_map.DEPTHS_AT_ONCE
    return found


_HISTORY = """
select m.prefix, m.epoch, m.hash, m.index, m.commitment from unnest($1::bytea[]) as asked (prefix)
join key_directory_map as m on m.prefix = asked.prefix and m.epoch <= $3 and m.epoch >= coalesce(
    (select max(epoch) from key_directory_map as before where before.prefix = asked.prefix and before.epoch <= $2), 0)
order by m.epoch
"""


async def history(uow: UnitOfWork, index: bytes, first: int, last: int) -> list[dict[bytes, Subtree]]:
    """Returns the subtrees on the path of an index in each of the epochs from `first` to `last`: one statement for each
    32 levels of the map."""
    rows: list[Any] = []
    newest: dict[bytes, Subtree] = {}
    depth = 0
    while not depth or stored_map.goes_on(newest, index, depth - stored_map.DEPTHS_AT_ONCE):
        found = await uow.fetch(_HISTORY, stored_map.path(index, depth), first, last)
        newest |= {row["prefix"]: _subtree(row) for row in found}
        rows += found
        depth += stored_map.DEPTHS_AT_ONCE
    return list(_by_epoch(sorted(rows, key=lambda row: int(row["epoch"])), first, last))


def _by_epoch(rows: Sequence[Any], first: int, last: int) -> Iterable[dict[bytes, Subtree]]:
    found: dict[bytes, Subtree] = {}
    place = 0
    for epoch in range(first, last + 1):
        while place < len(rows) and rows[place]["epoch"] <= epoch:
            found[rows[place]["prefix"]] = _subtree(rows[place])
            place += 1
        yield dict(found)


_AT_INDEX = "select * from key_directory_map where prefix = any($1::bytea[]) and index = $2"


async def at_index(uow: UnitOfWork, index: bytes) -> AsyncIterator[ExportedRow]:
    """Yields the rows of an index, with bytes as Base64."""
    async for row in uow.stream(_AT_INDEX, stored_map.prefixes(index), index):
        yield ExportedRow("key_directory_map", {name: json_value(value) for name, value in row.items()})


_VERSIONS = """
with newest as (
    select coalesce(max(number), 1) as number from device_key_versions where account_id = $1 and shown_in <= $3
)
select v.keys, v.shown_in from device_key_versions as v, newest
where v.account_id = $1 and v.number >= case when $2::bigint = 0 then newest.number else least($2, newest.number) end
order by v.number
"""


async def versions(uow: UnitOfWork, account_id: UUID, seen: int, epoch: int) -> list[KeysVersion]:
    """Returns the versions of an account's keys from the one that was seen on (0: from the newest one that the epoch
    shows)."""
    rows = await uow.fetch(_VERSIONS, account_id, seen, epoch)
    return [KeysVersion(AccountKeys.decode(row["keys"]), row["shown_in"]) for row in rows]


_SHOWN = """
select keys, shown_in from device_key_versions where account_id = $1 and shown_in <= $3 and shown_in >= coalesce(
    (select max(shown_in) from device_key_versions where account_id = $1 and shown_in <= $2), 0)
order by number
"""


async def shown(uow: UnitOfWork, account_id: UUID, first: int, last: int) -> list[KeysVersion]:
    """Returns the versions of an account's keys that epochs from `first` to `last` show."""
    rows = await uow.fetch(_SHOWN, account_id, first, last)
    return [KeysVersion(AccountKeys.decode(row["keys"]), row["shown_in"]) for row in rows]


def _epoch(row: Any) -> StoredEpoch:
    epoch = Epoch(row["number"], row["closed_at_ms"], row["root"])
    return StoredEpoch(epoch, row["log_root"], row["signature"], row["log_key"])


def _subtree(row: Any) -> Subtree:
    return Subtree(row["hash"], None if row["index"] is None else (row["index"], row["commitment"]))


def milliseconds(at: datetime) -> int:
    """Returns the milliseconds since 1970."""
    return int(at.timestamp() * 1000)
