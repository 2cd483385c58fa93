"""SQL of evidence: uploads that matched the hash list, held for moderators. Each refers to the stored object."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.media.hash_index import Match
from features.media.model import Media

_HOLD = """
with failed as (
    update media set failure = 'unreadable', not_allowed = true, state = 'processing', digest = null
    where id = $1
)
insert into media_evidence (media_id, account_id, media_type, size, digest, entry, distance, held_at, due_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
_TAKE_DUE = """
delete from media_evidence where media_id = any(array(
    select media_id from media_evidence where due_at <= $1 order by due_at limit $2 for update skip locked
)) returning digest
"""
_COLUMNS = "media_id, account_id, media_type, size, digest, entry, distance, held_at, due_at"
_AFTER = f"select {_COLUMNS} from media_evidence where media_id > $1 order by media_id limit $2"
_FIND = f"select {_COLUMNS} from media_evidence where media_id = $1"
_BEFORE_ALL = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Evidence:
    """An upload that matched the hash list."""

    media_id: UUID
    account_id: UUID
    """Who uploaded it; the account may be erased."""
    media_type: str
    size: int
    """In bytes."""
    digest: bytes
    """SHA-256 of what was uploaded."""
    entry: bytes
    """The hash of the list that it is near."""
    distance: int
    """From that, in bits."""
    held_at: datetime
    due_at: datetime
    """Until then it is held."""


async def after(uow: UnitOfWork, media_id: UUID | None, limit: int) -> list[Evidence]:
    """Returns what is held of the first `limit` media after one (None: of all)."""
    return [Evidence(**row) for row in await uow.fetch(_AFTER, media_id or _BEFORE_ALL, limit)]


async def find(uow: UnitOfWork, media_id: UUID) -> Evidence | None:
    """Returns what is held of a medium."""
    row = await uow.fetchrow(_FIND, media_id)
    return None if row is None else Evidence(**row)


async def hold(uow: UnitOfWork, media: Media, digest: bytes, match: Match, now: datetime, due_at: datetime) -> None:
    """Makes a medium one that cannot be shown. The reference to its object becomes that of the evidence."""
    described = (media.id, media.account_id, media.media_type, media.size, digest)
    await uow.execute(_HOLD, *described, match.entry, match.distance, now, due_at)


async def take_due(uow: UnitOfWork, now: datetime, limit: int) -> list[bytes]:
    """Deletes evidence that need not be held any longer. Returns the digests of the objects, to be released."""
    return [row["digest"] for row in await uow.fetch(_TAKE_DUE, now, limit)]
