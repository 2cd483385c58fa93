"""Ends uploads that nobody continued, deletes media that nothing shows, and deletes from storage what nothing refers
to."""

import asyncio

from cluster.cancellation import raise_if_cancelled
from cluster.logs import logger
from cluster.objects import ObjectStorage
from cluster.postgres import Database
from cluster.storage_errors import DATABASE_ERRORS
from features.feature import Scope
from features.media import evidence_store, store, upload_store
from features.media.metrics import DELETED_OBJECTS, ENDED_UPLOADS, GARBAGE
from features.media.model import part_key
from features.media.policy import MediaPolicy
from features.media.service import MediaService

_PAUSE_S = 30.0
_AT_ONCE = 100

log = logger(__name__)


async def sweep_media(scope: Scope) -> int:
    """Ends expired uploads, deletes media that nothing shows and garbage that is due. Returns how many objects were
    deleted. Several processes may do this at once."""
    objects = scope.service(MediaService).objects
    while await _end_expired(scope) or await _delete_unattached(scope) or await _end_evidence(scope):
        pass
    deleted = 0
    while count := await _delete_due(scope, objects):
        deleted += count
    async with scope.database.unit_of_work(read_only=True) as uow:
        GARBAGE.labels(scope.brand).set(await store.count_garbage(uow, scope.now()))
    return deleted


async def _end_expired(scope: Scope) -> int:
    database: Database = scope.database
    async with database.unit_of_work() as uow:
        uploads = await upload_store.expired(uow, scope.now(), _AT_ONCE)
        parts = await upload_store.delete(uow, uploads)
        await store.discard(uow, [part_key(part_id) for part_id in parts], scope.now())
        await uow.commit()
    ENDED_UPLOADS.labels(scope.brand, "expired").inc(len(uploads))
    return len(uploads)


async def _delete_unattached(scope: Scope) -> int:
    policy, now = scope.policy(MediaPolicy), scope.now()
    async with scope.database.unit_of_work() as uow:
        found = await store.unattached(uow, now - policy.unattached_grace, _AT_ONCE)
        for account_id in sorted({row["account_id"] for row in found}):
            ids = [row["id"] for row in found if row["account_id"] == account_id]
            await store.delete(uow, ids, account_id, now + policy.garbage_grace)
        await uow.commit()
    return len(found)


async def _end_evidence(scope: Scope) -> int:
    async with scope.database.unit_of_work() as uow:
        digests = await evidence_store.take_due(uow, scope.now(), _AT_ONCE)
        await store.release_objects(uow, digests, scope.now())
        await uow.commit()
    return len(digests)


async def _delete_due(scope: Scope, objects: ObjectStorage) -> int:
    # The rows stay locked while the objects are deleted: whoever stores one of them again waits.
    async with scope.database.unit_of_work() as uow:
        keys = await store.due_garbage(uow, scope.now(), _AT_ONCE)
        await objects.delete(keys)
        await uow.commit()
    DELETED_OBJECTS.labels(scope.brand).inc(len(keys))
    return len(keys)


async def run_media_sweeps(scope: Scope) -> None:
    """Sweeps until cancelled; survives outages of Postgres and of object storage."""
    while True:
        try:
            await sweep_media(scope)
        except DATABASE_ERRORS as error:  # an outage of object storage is an OSError, too
            raise_if_cancelled()
            log.warning("sweep of media interrupted", error=type(error).__name__)
        await asyncio.sleep(_PAUSE_S)
