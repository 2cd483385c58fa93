"""SQL of uploads and their parts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from asyncpg import Record

from cluster.postgres import UnitOfWork
from features.media.machine import Upload, UploadKind, Usage
from features.media.model import MediaType

_LOCK = 7_203_103

_UNFINISHED = f"account_id = $1 and (received < length or kind = '{UploadKind.PARTIAL}') and expires_at > $2"
_USAGE = f"""
select
    (select count(*) from media_uploads where {_UNFINISHED}) as open_uploads,
    (select coalesce(sum(size), 0) from media where account_id = $1 and (failure is null or not_allowed))
        + (select coalesce(sum(length), 0) from media_uploads where {_UNFINISHED}) as size
"""

_INSERT = """
insert into media_uploads (id, account_id, kind, length, media_type, metadata, concat, created_at, expires_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning *
"""
_FIND = "select * from media_uploads where id = $1 and account_id = $2 and expires_at > $3"
_FIND_LOCKED = f"{_FIND} for update"
_FENCE = "update media_uploads set fence = fence + 1, expires_at = $2 where id = $1 returning *"

_ADVANCE = """
update media_uploads set received = received + $4, parts = parts + $5, expires_at = $6
where id = $1 and fence = $2 and received = $3 returning *
"""
_INSERT_PARTS = """
insert into media_upload_parts (upload_id, start, size, part_id)
select $1, part.start, part.size, part.id from unnest($2::bigint[], $3::int[], $4::uuid[]) as part (start, size, id)
"""
_PARTS = "select start, size, part_id from media_upload_parts where upload_id = $1 order by start"

_DELETE = """
with gone as (
    delete from media_uploads where id = any($1) returning id
)
select part_id from media_upload_parts where upload_id in (select id from gone)
"""
_PARTIAL = f"""
select * from media_uploads
where id = any($1) and account_id = $2 and kind = '{UploadKind.PARTIAL}' and received = length and expires_at > $3
order by id for update
"""
_ADOPT_PARTS = """
insert into media_upload_parts (upload_id, start, size, part_id)
select $1, shifted.by + part.start, part.size, part.part_id
from media_upload_parts as part join unnest($2::uuid[], $3::bigint[]) as shifted (id, by) on part.upload_id = shifted.id
"""
_FINISH = "update media_uploads set received = length, parts = $2 where id = $1 returning *"

# What an upload consisted of is needed as long as its medium is being put together.
_EXPIRED = """
select id from media_uploads where expires_at <= $1
    and not exists (select from media where media.id = media_uploads.id and state = 'processing' and failure is null)
order by expires_at limit $2 for update skip locked
"""
_OF_ACCOUNT = "select id from media_uploads where account_id = $1 limit $2 for update"


@dataclass(frozen=True, slots=True)
class Part:
    """Stored bytes of an upload, from `start` on."""

    start: int
    size: int
    part_id: UUID


async def lock_account(uow: UnitOfWork, account_id: UUID) -> None:
    """Makes requests that count what an account has take turns, until the unit of work ends."""
    await uow.fetchval("select pg_advisory_xact_lock($1, hashtext($2))", _LOCK, str(account_id))


async def usage(uow: UnitOfWork, account_id: UUID, now: datetime) -> Usage:
    row = await uow.fetchrow(_USAGE, account_id, now)
    assert row is not None
    return Usage(int(row["open_uploads"]), int(row["size"]))


async def insert(
    uow: UnitOfWork,
    upload_id: UUID,
    account_id: UUID,
    kind: UploadKind,
    length: int,
    media_type: MediaType | None,
    metadata: str,
    concat: str,
    now: datetime,
    expires_at: datetime,
) -> Upload:
    row = await uow.fetchrow(
        _INSERT, upload_id, account_id, kind, length, media_type, metadata, concat, now, expires_at
    )
    assert row is not None
    return _upload(row)


async def find(
    uow: UnitOfWork, upload_id: UUID, account_id: UUID, now: datetime, *, lock: bool = False
) -> Upload | None:
    """Returns an upload of an account that has not expired."""
    row = await uow.fetchrow(_FIND_LOCKED if lock else _FIND, upload_id, account_id, now)
    return _upload(row) if row else None


async def fence(uow: UnitOfWork, upload_id: UUID, expires_at: datetime) -> Upload:
    """Gives an upload its next fence."""
    row = await uow.fetchrow(_FENCE, upload_id, expires_at)
    assert row is not None
    return _upload(row)


async def advance(uow: UnitOfWork, upload: Upload, parts: Sequence[Part], expires_at: datetime) -> Upload | None:
    """Adds stored parts to an upload, under its fence and from its offset on. Returns the upload after it; None if a
    newer request has fenced this one, or the upload is gone."""
    size = sum(part.size for part in parts)
    row = await uow.fetchrow(_ADVANCE, upload.id, upload.fence, parts[0].start, size, len(parts), expires_at)
    if row is None:
        return None
    columns = [part.start for part in parts], [part.size for part in parts], [part.part_id for part in parts]
    await uow.execute(_INSERT_PARTS, upload.id, *columns)
    return _upload(row)


async def parts(uow: UnitOfWork, upload_id: UUID) -> list[Part]:
    """Returns the parts of an upload, in order."""
    return [Part(**row) for row in await uow.fetch(_PARTS, upload_id)]


async def delete_parts(uow: UnitOfWork, upload_id: UUID) -> list[UUID]:
    """Deletes the parts of an upload. Returns the ids of the objects that are no longer needed."""
    rows = await uow.fetch("delete from media_upload_parts where upload_id = $1 returning part_id", upload_id)
    return [row["part_id"] for row in rows]


async def delete(uow: UnitOfWork, upload_ids: Sequence[UUID]) -> list[UUID]:
    """Deletes uploads with their parts. Returns the ids of the objects that are no longer needed."""
    return [row["part_id"] for row in await uow.fetch(_DELETE, upload_ids)]


async def lock_complete_partials(
    uow: UnitOfWork, upload_ids: Sequence[UUID], account_id: UUID, now: datetime
) -> dict[UUID, Upload]:
    """Locks and returns those of these uploads that are complete partial ones of an account."""
    return {row["id"]: _upload(row) for row in await uow.fetch(_PARTIAL, upload_ids, account_id, now)}


async def concatenate(uow: UnitOfWork, final_id: UUID, partials: Sequence[Upload]) -> Upload:
    """Gives the parts of partial uploads to a final one, in this order, and deletes the partial ones."""
    starts, length = list[int](), 0
    for partial in partials:
        starts.append(length)
        length += partial.length
    ids = [partial.id for partial in partials]
    await uow.execute(_ADOPT_PARTS, final_id, ids, starts)
    await uow.execute("delete from media_uploads where id = any($1)", ids)
    row = await uow.fetchrow(_FINISH, final_id, sum(partial.parts for partial in partials))
    assert row is not None
    return _upload(row)


async def expired(uow: UnitOfWork, now: datetime, limit: int) -> list[UUID]:
    """Locks and returns uploads that nobody can continue."""
    return [row["id"] for row in await uow.fetch(_EXPIRED, now, limit)]


async def of_account(uow: UnitOfWork, account_id: UUID, limit: int) -> list[UUID]:
    """Locks and returns some uploads of an account."""
    return [row["id"] for row in await uow.fetch(_OF_ACCOUNT, account_id, limit)]


def _upload(row: Record) -> Upload:
    return Upload(
        id=row["id"],
        account_id=row["account_id"],
        kind=UploadKind(row["kind"]),
        length=row["length"],
        received=row["received"],
        fence=row["fence"],
        media_type=MediaType(row["media_type"]) if row["media_type"] else None,
        metadata=row["metadata"],
        concat=row["concat"],
        parts=row["parts"],
        expires_at=row["expires_at"],
    )
