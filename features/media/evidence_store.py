"""SQL of evidence: uploads that matched the hash list, held for moderators. Each refers to the stored object."""

from datetime import datetime

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


async def hold(uow: UnitOfWork, media: Media, digest: bytes, match: Match, now: datetime, due_at: datetime) -> None:
    """Makes a medium one that cannot be shown. The reference to its object becomes that of the evidence."""
    described = (media.id, media.account_id, media.media_type, media.size, digest)
    await uow.execute(_HOLD, *described, match.entry, match.distance, now, due_at)


async def take_due(uow: UnitOfWork, now: datetime, limit: int) -> list[bytes]:
    """Deletes evidence that need not be held any longer. Returns the digests of the objects, to be released."""
    return [row["digest"] for row in await uow.fetch(_TAKE_DUE, now, limit)]
