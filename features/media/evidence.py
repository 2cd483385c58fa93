"""What moderators see of uploads that matched the hash list."""

from collections.abc import AsyncIterator
from uuid import UUID

from cluster.objects import NoSuchObject, ObjectStorage
from cluster.postgres import Database
from features.errors import NotFound
from features.media import evidence_store
from features.media.evidence_store import Evidence
from features.media.model import object_key

_PAGE = 500


class NoSuchEvidence(NotFound):
    """Nothing is held of this medium, or not any longer."""

    code = "no_such_evidence"
    detail = "Nothing is held of this medium, or not any longer: 'entativa evidence list' has what there is."


async def held(database: Database) -> AsyncIterator[Evidence]:
    """Yields everything that is held, in the order of uploads. A statement for each 500."""
    after: UUID | None = None
    while True:
        async with database.unit_of_work(read_only=True) as uow:
            page = await evidence_store.after(uow, after, _PAGE)
        for evidence in page:
            yield evidence
        if len(page) < _PAGE:
            return
        after = page[-1].media_id


async def find(database: Database, media_id: UUID) -> Evidence:
    """Returns what is held of a medium. Raises NoSuchEvidence."""
    async with database.unit_of_work(read_only=True) as uow:
        evidence = await evidence_store.find(uow, media_id)
    if evidence is None:
        raise NoSuchEvidence
    return evidence


async def content(evidence: Evidence, objects: ObjectStorage) -> AsyncIterator[bytes]:
    """Yields what was uploaded, as it was. Raises NoSuchEvidence, ObjectStorageUnavailable."""
    try:
        async for chunk in objects.read(object_key(evidence.digest)):
            yield chunk
    except NoSuchObject:
        raise NoSuchEvidence from None
