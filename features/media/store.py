"""SQL of media, of the stored objects that they share, and of objects that are to be deleted.

Locks are taken in the order media, media_garbage, media_objects. An object has a row in media_garbage exactly while
nothing refers to it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from asyncpg import Record

from cluster.postgres import UnitOfWork
from features.accounts.queries import inactive
from features.media.model import ORIGINAL, Image, ImageFailure, Media, MediaState, MediaType, StoredFile, object_key
from features.media.queries import named_file
from features.paging import PageRequest

_COLUMNS = """media.id, media.account_id, media.media_type, media.size, media.state, media.epoch, media.digest,
    media.created_at, media.failure, media.attached_to, media.width, media.height,
    media.blurhash, media.widths, media.not_allowed"""
_KEY = "'objects/' || encode(digest, 'hex')"

_INSERT = """
insert into media (id, account_id, media_type, size, state, created_at) values ($1, $2, $3, $4, 'processing', $5)
"""
_LIST = f"""
select {_COLUMNS} from media
where account_id = $1
    and (created_at, id)
        < (coalesce($2::timestamptz, 'infinity'), coalesce($3::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
order by created_at desc, id desc limit $4
"""
_READABLE = f"""
select file.content_type, file.size, file.digest from media cross join lateral (
    ({named_file("media.id", "$4")})
    union all select media.media_type, media.size, media.digest where $4 = '{ORIGINAL}'
) as file
where media.id = $1 and media.account_id = $2 and media.epoch = $3 and media.state = 'ready'
    and not {inactive("media.account_id")}
"""
_NEXT_EPOCH = "update media set epoch = epoch + 1 where id = $1 and account_id = $2 returning id"
_DELETE = """
with files as (
    delete from media_files using media
    where media.id = media_files.media_id and media.id = any($1) and media.account_id = $2
    returning media_files.media_id, media_files.digest
), gone as (
    delete from media where id = any($1) and account_id = $2 returning id, digest
)
select id, array(select digest from files where media_id = gone.id) || array_remove(array[digest], null) as digests
from gone
"""
_READY = "update media set state = 'ready', digest = $2 where id = $1"
# Code of the version before does not know a third state.
_FAIL = "update media set failure = $2 where id = $1"
_FAIL_READY = "update media set failure = 'unreadable', state = 'processing', digest = null where id = $1"
_DESCRIBE = "update media set width = $2, height = $3, blurhash = $4, widths = $5 where id = $1"
_INSERT_FILES = """
insert into media_files (media_id, name, content_type, size, digest)
select $1, * from unnest($2::text[], $3::text[], $4::bigint[], $5::bytea[])
"""
_HAS_AVIF = "select exists (select from media_files where media_id = $1 and name like '%.avif')"

# Several objects are locked one after the other in the order of keys, so that of two who lock the same ones, one waits.
_CLAIM = """
insert into media_objects (digest, size, refs, stored)
select digest, size, 0, false from unnest($1::bytea[], $2::bigint[]) as wanted (digest, size) order by digest
on conflict (digest) do update set size = excluded.size returning digest, refs, stored
"""
_REFER = """
with wanted as (
    select digest, count(*) as times from unnest($1::bytea[]) as given (digest) group by digest
), locked as (
    select digest, times from media_objects join wanted using (digest) order by digest for update of media_objects
)
update media_objects as object set refs = refs + locked.times, stored = true from locked
where object.digest = locked.digest returning object.digest
"""
_KEEP = """
with locked as (
    select key from media_garbage where key = any($1) order by key for update
)
delete from media_garbage using locked where media_garbage.key = locked.key returning media_garbage.due_at
"""
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

_LOCK = f"select {_COLUMNS} from media where id = any($1) and account_id = $2 order by id for update"
_ATTACH = "update media set attached_to = $2, released_at = null where id = any($1)"
_RELEASE_MEDIA = """
update media set attached_to = null, released_at = $3 where attached_to = $1 and id <> all($2::uuid[])
"""
_UNATTACHED = """
select id, account_id from media where attached_to is null and coalesce(released_at, created_at) < $1
    and (state = 'ready' or failure is not null)
order by coalesce(released_at, created_at) limit $2 for update skip locked
"""

_DISCARD = """
insert into media_garbage (key, due_at) select key, $2 from unnest($1::text[]) as key order by key
on conflict (key) do update set due_at = excluded.due_at
"""
_DUE = "select key from media_garbage where due_at <= $1 order by due_at limit $2 for update skip locked"
_FORGET_OBJECTS = f"delete from media_objects where {_KEY} = any($1) and refs = 0"
_FIND = f"select {_COLUMNS} from media where id = $1"
_FIND_LOCKED = f"{_FIND} for update"


async def insert(
    uow: UnitOfWork, media_id: UUID, account_id: UUID, media_type: MediaType, size: int, now: datetime
) -> None:
    """Inserts a medium that is being processed."""
    await uow.execute(_INSERT, media_id, account_id, media_type, size, now)


async def find(uow: UnitOfWork, media_id: UUID, *, lock: bool = False) -> Media | None:
    """Returns a medium."""
    row = await uow.fetchrow(_FIND_LOCKED if lock else _FIND, media_id)
    return _media(row) if row else None


async def find_readable(uow: UnitOfWork, media_id: UUID, viewer_id: UUID, epoch: int, name: str) -> StoredFile | None:
    """Returns a file of a ready medium that its owner may read by an address of this epoch."""
    row = await uow.fetchrow(_READABLE, media_id, viewer_id, epoch, name)
    return StoredFile(**row) if row else None


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
    await release_objects(uow, [digest for row in rows for digest in row["digests"]], garbage_due_at)
    return len(rows)


async def release_objects(uow: UnitOfWork, digests: Sequence[bytes], garbage_due_at: datetime) -> None:
    """Counts references to objects less, each as often as it is given."""
    if digests:
        await uow.execute(_RELEASE, digests, garbage_due_at)


async def lock(uow: UnitOfWork, media_ids: Sequence[UUID], account_id: UUID) -> dict[UUID, Media]:
    """Locks and returns those of these media that an account has."""
    return {row["id"]: _media(row) for row in await uow.fetch(_LOCK, media_ids, account_id)}


async def attach(uow: UnitOfWork, media_ids: Sequence[UUID], holder_id: UUID) -> None:
    """Notes what shows media to others."""
    await uow.execute(_ATTACH, media_ids, holder_id)


async def release(uow: UnitOfWork, holder_id: UUID, kept: Sequence[UUID], now: datetime) -> None:
    """Notes that something no longer shows its media, except those that are kept."""
    await uow.execute(_RELEASE_MEDIA, holder_id, kept, now)


async def unattached(uow: UnitOfWork, before: datetime, limit: int) -> list[Record]:
    """Locks and returns media that nothing has shown since a time: `id`, `account_id`."""
    return await uow.fetch(_UNATTACHED, before, limit)


async def claim_objects(uow: UnitOfWork, sizes: Mapping[bytes, int], garbage_due_at: datetime) -> set[bytes]:
    """Announces that a medium will refer to objects, given by digest and size, which until then are garbage. Returns
    those that are stored for certain: to which something refers. Of the others, a sweep that did not commit may have
    deleted some."""
    await discard(uow, [object_key(digest) for digest in sizes], garbage_due_at)
    rows = await uow.fetch(_CLAIM, list(sizes), list(sizes.values()))
    await keep(uow, [object_key(row["digest"]) for row in rows if row["refs"] > 0])
    return {row["digest"] for row in rows if row["stored"] and row["refs"] > 0}


async def refer_to_objects(uow: UnitOfWork, digests: Sequence[bytes], now: datetime) -> bool:
    """Counts a medium that refers to stored objects, to each as often as it is given. Returns False if the claim was
    too long ago: a sweep has deleted some, or may have before it broke off."""
    if any(row["due_at"] <= now for row in await uow.fetch(_KEEP, [object_key(digest) for digest in digests])):
        return False
    return len(await uow.fetch(_REFER, digests)) == len(set(digests))


async def make_ready(uow: UnitOfWork, media_id: UUID, digest: bytes) -> None:
    """Makes a medium ready, after `refer_to_objects`."""
    await uow.execute(_READY, media_id, digest)


async def describe_image(uow: UnitOfWork, media_id: UUID, image: Image, files: Mapping[str, StoredFile]) -> None:
    """Adds what others see of an image, after `refer_to_objects`."""
    await uow.execute(_DESCRIBE, media_id, image.width, image.height, image.blurhash, image.widths)
    await add_files(uow, media_id, files)


async def add_files(uow: UnitOfWork, media_id: UUID, files: Mapping[str, StoredFile]) -> None:
    """Adds files of a medium, by their names, after `refer_to_objects`."""
    types = [file.content_type for file in files.values()]
    sizes, digests = [file.size for file in files.values()], [file.digest for file in files.values()]
    await uow.execute(_INSERT_FILES, media_id, list(files), types, sizes, digests)


async def has_avif(uow: UnitOfWork, media_id: UUID) -> bool:
    """Returns whether a medium has AVIF files."""
    return bool(await uow.fetchval(_HAS_AVIF, media_id))


async def fail(uow: UnitOfWork, media_id: UUID, failure: ImageFailure) -> None:
    """Makes a medium one that cannot be shown."""
    await uow.execute(_FAIL, media_id, failure)


async def fail_ready(uow: UnitOfWork, media_id: UUID, digest: bytes, garbage_due_at: datetime) -> None:
    """Makes a medium that was ready one that cannot be shown, and releases its content."""
    await uow.execute(_FAIL_READY, media_id)
    await release_objects(uow, [digest], garbage_due_at)


async def discard(uow: UnitOfWork, keys: Sequence[str], due_at: datetime) -> None:
    """Has objects deleted from storage, not before a time."""
    if keys:
        await uow.execute(_DISCARD, keys, due_at)


async def hasten(uow: UnitOfWork, keys: Sequence[str], due_at: datetime) -> None:
    """Has those of these objects that are garbage deleted from storage at an earlier time."""
    await uow.execute("update media_garbage set due_at = $2 where key = any($1)", keys, due_at)


async def keep(uow: UnitOfWork, keys: Sequence[str]) -> None:
    """Takes back `discard`."""
    if keys:
        await uow.execute(_KEEP, keys)


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
    failure = ImageFailure(row["failure"]) if row["failure"] else None
    if row["not_allowed"]:
        failure = ImageFailure.NOT_ALLOWED
    described = row["blurhash"] is not None
    return Media(
        id=row["id"],
        account_id=row["account_id"],
        media_type=MediaType(row["media_type"]),
        size=row["size"],
        state=MediaState.FAILED if failure else MediaState(row["state"]),
        epoch=row["epoch"],
        digest=row["digest"],
        created_at=row["created_at"],
        failure=failure,
        attached_to=row["attached_to"],
        image=Image(row["width"], row["height"], row["blurhash"], row["widths"]) if described else None,
    )
