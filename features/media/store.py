"""SQL of media, of the stored objects that they share, and of objects that are to be deleted.

Locks are taken in the order media, media_garbage, media_objects. An object has a row in media_garbage exactly while
nothing refers to it.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from asyncpg import Record

from cluster.postgres import UnitOfWork
from features.accounts.queries import inactive
from features.media.model import Media, MediaState, MediaType
from features.paging import PageRequest

_COLUMNS = "id, account_id, media_type, size, state, epoch, digest, created_at"
_KEY = "'objects/' || encode(digest, 'hex')"

_INSERT = """
insert into media (id, account_id, media_type, size, state, created_at) values ($1, $2, $3, $4, 'processing', $5)
"""
_LIST = f"""
select {_COLUMNS} from media where account_id = $1 and ($2::timestamptz is null or (created_at, id) < ($2, $3))
order by created_at desc, id desc limit $4
"""
_READABLE = f"""
select {_COLUMNS} from media
where id = $1 and account_id = $2 and epoch = $3 and state = 'ready' and not {inactive("media.account_id")}
"""
_NEXT_EPOCH = "update media set epoch = epoch + 1 where id = $1 and account_id = $2 returning id"
_DELETE = "delete from media where id = any($1) and account_id = $2 returning digest"
_READY = "update media set state = 'ready', digest = $2 where id = $1"

_CLAIM = """
insert into media_objects (digest, size, refs, stored) values ($1, $2, 0, false)
on conflict (digest) do update set size = excluded.size returning refs, stored
"""
_REFER = "update media_objects set refs = refs + 1, stored = true where digest = $1 returning digest"
# One after the other in the order of keys, so that two who release the same objects do not wait for each other.
_RELEASE = f"""
with released as (
    select digest, count(*) as times from unnest($1::bytea[]) as given (digest) group by digest
), locked as (
    select digest, times from media_objects join released using (digest) order by digest for update of media_objects
), lowered as (
    update media_objects as object set refs = refs - locked.times from locked
    where object.digest = locked.digest returning object.digest, refs
)
insert into media_garbage (key, due_at) select {_KEY}, $2 from lowered where refs = 0
on conflict (key) do update set due_at = excluded.due_at
"""

_DISCARD = """
insert into media_garbage (key, due_at) select unnest($1::text[]), $2
on conflict (key) do update set due_at = excluded.due_at
"""
_DUE = "select key from media_garbage where due_at <= $1 order by due_at limit $2 for update skip locked"
_FORGET_OBJECTS = f"delete from media_objects where {_KEY} = any($1) and refs = 0"


async def insert(
    uow: UnitOfWork, media_id: UUID, account_id: UUID, media_type: MediaType, size: int, now: datetime
) -> None:
    """Inserts a medium that is being processed."""
    await uow.execute(_INSERT, media_id, account_id, media_type, size, now)


async def find(uow: UnitOfWork, media_id: UUID, *, lock: bool = False) -> Media | None:
    """Returns a medium."""
    row = await uow.fetchrow(f"select {_COLUMNS} from media where id = $1{' for update' if lock else ''}", media_id)
    return _media(row) if row else None


async def find_readable(uow: UnitOfWork, media_id: UUID, viewer_id: UUID, epoch: int) -> Media | None:
    """Returns a ready medium that a viewer may read by an address of this epoch."""
    row = await uow.fetchrow(_READABLE, media_id, viewer_id, epoch)
    return _media(row) if row else None


async def next_epoch(uow: UnitOfWork, media_id: UUID, account_id: UUID) -> bool:
    """Begins the next epoch of a medium of an account. Returns False if there is none."""
    return await uow.fetchval(_NEXT_EPOCH, media_id, account_id) is not None


async def of_account(uow: UnitOfWork, account_id: UUID, page: PageRequest) -> list[Media]:
    """Returns media of an account, newest first, and one more than the page has if there are more."""
    after = (page.cursor.at, page.cursor.id) if page.cursor else (None, None)
    return [_media(row) for row in await uow.fetch(_LIST, account_id, *after, page.limit + 1)]


async def delete(uow: UnitOfWork, media_ids: Sequence[UUID], account_id: UUID, garbage_due_at: datetime) -> int:
    """Deletes media of an account and releases their objects. Returns how many."""
    rows = await uow.fetch(_DELETE, media_ids, account_id)
    if digests := [row["digest"] for row in rows if row["digest"] is not None]:
        await uow.execute(_RELEASE, digests, garbage_due_at)
    return len(rows)


async def claim_object(uow: UnitOfWork, key: str, digest: bytes, size: int, garbage_due_at: datetime) -> bool:
    """Announces that a medium will refer to an object, which until then is garbage. Returns whether it is stored."""
    await discard(uow, [key], garbage_due_at)
    row = await uow.fetchrow(_CLAIM, digest, size)
    assert row is not None
    if row["refs"] > 0:
        await keep(uow, [key])
    return bool(row["stored"])


async def make_ready(uow: UnitOfWork, media_id: UUID, digest: bytes) -> None:
    """Makes a medium ready, after `refer_to_object`."""
    await uow.execute(_READY, media_id, digest)


async def refer_to_object(uow: UnitOfWork, key: str, digest: bytes) -> bool:
    """Counts a medium that refers to a stored object. Returns False if the claim was too long ago."""
    await keep(uow, [key])
    return await uow.fetchval(_REFER, digest) is not None


async def discard(uow: UnitOfWork, keys: Sequence[str], due_at: datetime) -> None:
    """Has objects deleted from storage, not before a time."""
    if keys:
        await uow.execute(_DISCARD, keys, due_at)


async def hasten(uow: UnitOfWork, keys: Sequence[str], due_at: datetime) -> None:
    """Has those of these objects that are garbage deleted from storage at an earlier time."""
    await uow.execute("update media_garbage set due_at = $2 where key = any($1)", keys, due_at)


async def keep(uow: UnitOfWork, keys: Sequence[str]) -> None:
    """Takes back `discard`."""
    await uow.execute("delete from media_garbage where key = any($1)", keys)


async def due_garbage(uow: UnitOfWork, now: datetime, limit: int) -> list[str]:
    """Locks and returns the keys of objects that are to be deleted from storage, and forgets them."""
    keys = [row["key"] for row in await uow.fetch(_DUE, now, limit)]
    if keys:
        await uow.execute(_FORGET_OBJECTS, keys)
        await keep(uow, keys)
    return keys


async def count_garbage(uow: UnitOfWork, now: datetime) -> int:
    """Returns how many objects are due to be deleted from storage."""
    return int(await uow.fetchval("select count(*) from media_garbage where due_at <= $1", now))


async def ids_of_account(uow: UnitOfWork, account_id: UUID, limit: int) -> list[UUID]:
    """Returns some media of an account."""
    return [
        row["id"] for row in await uow.fetch("select id from media where account_id = $1 limit $2", account_id, limit)
    ]


def _media(row: Record) -> Media:
    return Media(
        id=row["id"],
        account_id=row["account_id"],
        media_type=MediaType(row["media_type"]),
        size=row["size"],
        state=MediaState(row["state"]),
        epoch=row["epoch"],
        digest=row["digest"],
        created_at=row["created_at"],
    )
