"""The service of uploads: the tus protocol without HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cluster.cancellation import run_to_completion
from cluster.ids import new_id
from cluster.logs import logger
from cluster.objects import ObjectStorage
from cluster.postgres import Database, UnitOfWork
from cluster.storage_errors import DATABASE_ERRORS
from features.media import store, upload_store
from features.media.checksum import Checksum
from features.media.errors import BadConcatenation, NoSuchUpload, UploadComplete
from features.media.machine import Upload, UploadKind, check_append, check_new, check_type, parse_file_type
from features.media.metrics import ENDED_UPLOADS
from features.media.model import part_key
from features.media.policy import MediaPolicy
from features.media.receiving import Buffered, Reception, complete
from features.media.signatures import SIGNATURE_BYTES

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class UploadService:
    """Uploads of one brand. Methods that receive bodies take no unit of work: they use several short ones."""

    brand: str
    policy: MediaPolicy
    database: Database
    objects: ObjectStorage
    now: Callable[[], datetime]
    buffered: Buffered

    async def create(
        self, account_id: UUID, length: int, file_type: str | None, metadata: str, *, partial: bool = False
    ) -> Upload:
        """Begins an upload. A partial one is to be concatenated with others and has no type. Raises the errors of
        `check_new`, NoFileType."""
        media_type = None if partial else parse_file_type(file_type)
        kind = UploadKind.PARTIAL if partial else UploadKind.WHOLE
        async with self.database.unit_of_work() as uow:
            now, concat = self.now(), "partial" if partial else ""
            await upload_store.lock_account(uow, account_id)
            check_new(length, media_type, await upload_store.usage(uow, account_id, now), self.policy)
            expires_at = now + self.policy.upload_lifetime
            upload = await upload_store.insert(
                uow, new_id(now), account_id, kind, length, media_type, metadata, concat, now, expires_at
            )
            await uow.commit()
        ENDED_UPLOADS.labels(self.brand, "begun").inc()
        return upload

    async def get(self, uow: UnitOfWork, account_id: UUID, upload_id: UUID) -> Upload:
        """Returns an upload of an account. Raises NoSuchUpload."""
        found = await upload_store.find(uow, upload_id, account_id, self.now())
        if found is None:
            raise NoSuchUpload
        return found

    async def append(
        self,
        account_id: UUID,
        upload_id: UUID,
        offset: int,
        body: AsyncIterator[bytes],
        *,
        announced: int | None = None,
        checksum: Checksum | None = None,
    ) -> Upload:
        """Appends a body to an upload and returns it as it is afterwards. Requests that began earlier keep nothing
        more. Raises the errors of `check_append` and of `Reception.receive`."""
        async with self.database.unit_of_work() as uow:
            upload = await upload_store.find(uow, upload_id, account_id, self.now(), lock=True)
            if upload is None:
                raise NoSuchUpload
            check_append(upload, offset, announced, self.now())
            upload = await upload_store.fence(uow, upload.id, self.now() + self.policy.upload_lifetime)
            await uow.commit()
        reception = Reception(
            self.brand, self.policy, self.database, self.objects, self.buffered, self.now, upload, checksum
        )
        return await reception.receive(body)

    async def concatenate(
        self, account_id: UUID, partial_ids: Sequence[UUID], file_type: str | None, metadata: str, concat: str
    ) -> Upload:
        """Makes one upload of complete partial ones, which are then gone. Raises BadConcatenation, NoFileType,
        WrongContent and the errors of `check_new`."""
        media_type = parse_file_type(file_type)
        if not partial_ids or len(set(partial_ids)) < len(partial_ids):
            raise BadConcatenation
        async with self.database.unit_of_work() as uow:
            found = await upload_store.lock_complete_partials(uow, partial_ids, account_id, self.now())
            if len(found) < len(partial_ids):
                raise BadConcatenation
            partials = [found[partial_id] for partial_id in partial_ids]
            check_type(media_type, await self._head(uow, partials))
            length = sum(partial.length for partial in partials)
            # The partial ones are counted among what the account has, and go.
            now = self.now()
            await upload_store.lock_account(uow, account_id)
            usage = await upload_store.usage(uow, account_id, now)
            check_new(length, media_type, usage.without(len(partials), length), self.policy)
            upload = await upload_store.insert(
                uow,
                new_id(now),
                account_id,
                UploadKind.FINAL,
                length,
                media_type,
                metadata,
                concat,
                now,
                now + self.policy.upload_lifetime,
            )
            upload = await upload_store.concatenate(uow, upload.id, partials)
            await complete(uow, upload, now)
            await uow.commit()
        ENDED_UPLOADS.labels(self.brand, "complete").inc()
        return upload

    async def _head(self, uow: UnitOfWork, partials: Sequence[Upload]) -> bytes:
        """Returns the first bytes of a concatenation."""
        head = b""
        for partial in partials:
            for part in await upload_store.parts(uow, partial.id):
                wanted = min(SIGNATURE_BYTES - len(head), part.size)
                async for chunk in self.objects.read(part_key(part.part_id), 0, wanted):
                    head += chunk
                if len(head) >= SIGNATURE_BYTES:
                    return head
        return head

    async def abandon(self, account_id: UUID, upload_id: UUID) -> None:
        """Deletes an upload of which no client has learned, even if the caller is cancelled. One that has become a
        medium stays; one that cannot be deleted now expires."""
        await run_to_completion(self._abandon(account_id, upload_id))

    async def _abandon(self, account_id: UUID, upload_id: UUID) -> None:
        try:
            async with self.database.unit_of_work() as uow:
                await self.terminate(uow, account_id, upload_id)
                await uow.commit()
        except (NoSuchUpload, UploadComplete):
            pass
        except DATABASE_ERRORS as error:
            log.warning("upload not abandoned", error=type(error).__name__)

    async def terminate(self, uow: UnitOfWork, account_id: UUID, upload_id: UUID) -> None:
        """Deletes an upload that has not become a medium. Raises NoSuchUpload, UploadComplete."""
        now = self.now()
        upload = await upload_store.find(uow, upload_id, account_id, now, lock=True)
        if upload is None:
            raise NoSuchUpload
        if upload.complete and upload.kind is not UploadKind.PARTIAL:
            raise UploadComplete
        parts = await upload_store.delete(uow, [upload_id])
        await store.discard(uow, [part_key(part_id) for part_id in parts], now)
        ENDED_UPLOADS.labels(self.brand, "terminated").inc()
