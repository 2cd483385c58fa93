"""SQL of backups. The segments' bytes are in object storage."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.backups.model import Backup, Segment, Usage, object_key

_FIND = """
select version, header, updated_at,
    array(
        select row(digest, size) from backup_segments as segment
        where segment.account_id = backups.account_id and position is not null order by position
    ) as segments
from backups where account_id = $1
"""


async def find(uow: UnitOfWork, account_id: UUID) -> Backup:
    """Returns the backup of an account, version 0 if there is none."""
    row = await uow.fetchrow(_FIND, account_id)
    if row is None:
        return Backup()
    segments = tuple(Segment(digest, size) for digest, size in row["segments"])
    return Backup(row["version"], row["header"], segments, row["updated_at"])


_CREATE = """
insert into backups (account_id, version, header, updated_at) values ($1, 1, $2, $3)
on conflict do nothing returning version
"""
_REPLACE = """
update backups set version = version + 1, header = $3, updated_at = $4 where account_id = $1 and version = $2
returning version
"""


async def write(uow: UnitOfWork, account_id: UUID, based_on: int, header: bytes, now: datetime) -> int | None:
    """Writes the version after `based_on` and returns it; None if that is not the newest one."""
    written: int | None
    if based_on == 0:
        written = await uow.fetchval(_CREATE, account_id, header, now)
    else:
        written = await uow.fetchval(_REPLACE, account_id, based_on, header, now)
    return written


async def version(uow: UnitOfWork, account_id: UUID) -> int:
    """Returns the newest version, 0 if there is no backup."""
    return await uow.fetchval("select version from backups where account_id = $1", account_id) or 0


_NAME = """
update backup_segments as segment set position = named.position
from unnest($2::bytea[]) with ordinality as named (digest, position)
where account_id = $1 and segment.digest = named.digest
"""
_UNNAME = """
delete from backup_segments
where account_id = $1 and digest not in (select unnest($2::bytea[])) and (position is not null or uploaded_at < $3)
returning object_id
"""


async def name_segments(
    uow: UnitOfWork, account_id: UUID, digests: Sequence[bytes], before: datetime
) -> list[str] | None:
    """Makes these the segments of the backup, in this order, and deletes the others, except those uploaded since
    `before` that no version has named. Returns the keys of the objects of deleted ones; None if one is missing. The
    caller has written the backup's row, which admits one at a time."""
    if await uow.execute(_NAME, account_id, digests) != f"UPDATE {len(digests)}":
        return None
    return [object_key(row["object_id"]) for row in await uow.fetch(_UNNAME, account_id, digests, before)]


_TOUCH = "update backup_segments set uploaded_at = $3 where account_id = $1 and digest = $2 returning size"


async def touch(uow: UnitOfWork, account_id: UUID, digest: bytes, now: datetime) -> bool:
    """Notes that a segment was uploaded again. Returns False if the account does not have it."""
    return await uow.fetchval(_TOUCH, account_id, digest, now) is not None


_USAGE = """
select coalesce(sum(size), 0) as bytes, count(*) filter (where position is null) as unnamed
from backup_segments where account_id = $1
"""


async def usage(uow: UnitOfWork, account_id: UUID) -> Usage:
    """Returns what an account's segments take."""
    row = await uow.fetchrow(_USAGE, account_id)
    assert row is not None
    return Usage(row["bytes"], row["unnamed"])


_LOCK = "select pg_advisory_xact_lock(hashtextextended('backups:' || $1::uuid::text, 0))"


async def lock(uow: UnitOfWork, account_id: UUID) -> None:
    """Admits one upload of an account at a time, until the end of the transaction."""
    await uow.execute(_LOCK, account_id)


_INSERT = """
insert into backup_segments (account_id, digest, object_id, size, uploaded_at) values ($1, $2, $3, $4, $5)
on conflict do nothing
"""


async def insert(uow: UnitOfWork, account_id: UUID, segment: Segment, object_id: UUID, now: datetime) -> bool:
    """Inserts a stored segment that no version names. Returns False if the account has it already."""
    tag = await uow.execute(_INSERT, account_id, segment.digest, object_id, segment.size, now)
    return tag == "INSERT 0 1"


_OBJECT = "select object_id from backup_segments where account_id = $1 and digest = $2"


async def object_of(uow: UnitOfWork, account_id: UUID, digest: bytes) -> UUID | None:
    """Returns the object of a segment."""
    found: UUID | None = await uow.fetchval(_OBJECT, account_id, digest)
    return found


_DELETE_SEGMENTS = """
delete from backup_segments where ctid = any(array(
    select ctid from backup_segments where account_id = $1 limit $2 for update
)) returning object_id
"""


async def delete(uow: UnitOfWork, account_id: UUID, limit: int) -> list[str]:
    """Deletes a backup and up to `limit` segments. Returns the keys of their objects."""
    await uow.execute("delete from backups where account_id = $1", account_id)
    return [object_key(row["object_id"]) for row in await uow.fetch(_DELETE_SEGMENTS, account_id, limit)]
