"""The service of media: what an account has uploaded. Nobody else sees it."""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cluster.logs import logger
from cluster.objects import NoSuchObject, ObjectStorage
from cluster.postgres import UnitOfWork
from cluster.storage_errors import DATABASE_ERRORS
from features.events import publish
from features.media import evidence_store, store, upload_store
from features.media.addresses import NOBODY, Grant, expiry, open_token, seal
from features.media.attaching import check_attachable
from features.media.errors import MediaAttached, MediaFailed, NoSuchMedia, StillProcessing
from features.media.events import Held, OftenRead
from features.media.hash_index import Match
from features.media.metrics import SENT_BYTES
from features.media.model import Address, Media, MediaState, StoredFile, object_key, part_key
from features.media.policy import MediaPolicy
from features.media.reads import ReadCounts
from features.media.screening import Screening
from features.media.uploads import UploadService
from features.paging import Page, PageRequest, page_of

_COUNTED = frozenset({"image/webp", "image/jpeg"})
"""Types of which there is something smaller."""

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class MediaService:
    brand: str
    policy: MediaPolicy
    objects: ObjectStorage
    uploads: UploadService
    key: bytes
    """Authenticates addresses."""
    screening: Screening
    reads: ReadCounts
    """Of images, in this process."""

    async def get(self, uow: UnitOfWork, account_id: UUID, media_id: UUID) -> Media:
        """Returns a medium of an account. Raises NoSuchMedia."""
        media = await store.find(uow, media_id)
        if media is None or media.account_id != account_id:
            raise NoSuchMedia
        return media

    async def list(self, uow: UnitOfWork, account_id: UUID, page: PageRequest) -> Page[Media]:
        """Returns what an account has uploaded, newest first."""
        return page_of(await store.of_account(uow, account_id, page), page.limit, Media.cursor)

    async def get_original(self, uow: UnitOfWork, account_id: UUID, media_id: UUID) -> StoredFile:
        """Returns what an account has uploaded. Raises NoSuchMedia, StillProcessing, MediaFailed."""
        media = await self.get(uow, account_id, media_id)
        if media.failure is not None:
            raise MediaFailed(f"The medium cannot be shown: {media.failure}.")
        if media.digest is None:
            raise StillProcessing
        return StoredFile(media.media_type, media.size, media.digest)

    def address(self, media: Media, now: datetime) -> Address | None:
        """Returns an address of the content for the medium's owner; None while there is no content."""
        if media.state is not MediaState.READY:
            return None
        expires_at = expiry(now, self.policy.address_lifetime)
        return Address(seal(Grant(media.id, media.account_id, media.epoch, expires_at), self.key), expires_at)

    def open_token(self, token: str, now: datetime, *, attached: bool = False) -> Grant:
        """Returns the grant of an address, of an attached medium or of one's own. Raises NoSuchMedia if it is none, or
        has expired."""
        grant = open_token(token, self.key, now)
        if grant is None or grant.attached != attached:
            raise NoSuchMedia
        return grant

    async def get_granted(self, uow: UnitOfWork, grant: Grant, name: str) -> StoredFile:
        """Returns a file of the medium of a grant, in one statement. Raises NoSuchMedia if the grant has ended, or the
        medium has no such file."""
        file = await store.find_readable(uow, grant.media_id, grant.viewer_id, grant.epoch, name)
        if file is None:
            raise NoSuchMedia
        return file

    def is_often_read(self, media_id: UUID, file: StoredFile) -> bool:
        """Counts a read of a file. Returns whether `make_smaller` is to be called: once in many reads of an image."""
        return file.content_type in _COUNTED and self.reads.add(media_id)

    async def make_smaller(self, media_id: UUID, now: datetime) -> None:
        """Has smaller files made of an image, in the background. What cannot be noted now is noted another time."""
        try:
            async with self.uploads.database.unit_of_work() as uow:
                publish(uow, OftenRead(media_id), now)
                await uow.commit()
        except DATABASE_ERRORS as error:
            log.warning("image that is often read not noted", error=type(error).__name__)

    async def end_addresses(self, uow: UnitOfWork, account_id: UUID, media_id: UUID) -> None:
        """Ends all addresses of a medium that were given out. Raises NoSuchMedia."""
        if not await store.next_epoch(uow, media_id, account_id):
            raise NoSuchMedia

    async def read(self, file: StoredFile, start: int, end: int) -> AsyncIterator[bytes]:
        """Yields the bytes of a file, from `start` to before `end`."""
        async for chunk in self.read_object(object_key(file.digest), start, end):
            yield chunk

    async def read_object(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """Yields an object that was made of a medium, from `start` to before `end`. Raises NoSuchMedia if it is not
        in storage: the medium may have been deleted meanwhile."""
        try:
            async for chunk in self.objects.read(key, start, end):
                SENT_BYTES.labels(self.brand).inc(len(chunk))
                yield chunk
        except NoSuchObject:
            log.error("object of a medium not in storage", key=key)
            raise NoSuchMedia from None

    async def attach(
        self,
        uow: UnitOfWork,
        account_id: UUID,
        holder_id: UUID,
        media_ids: Sequence[UUID],
        now: datetime,
        *,
        keep_others: bool = False,
    ) -> builtins.list[Media]:
        """Has something show these media of an account, and no others, unless those that it has are kept. Returns them,
        in order. Raises the errors of `check_attachable`."""
        media = check_attachable(media_ids, await store.lock(uow, media_ids, account_id), holder_id)
        if not keep_others:
            await store.release(uow, holder_id, media_ids, now)
        await store.attach(uow, media_ids, holder_id)
        return media

    def seal(self, media_id: UUID, viewer_id: UUID | None, epoch: int, now: datetime) -> Address:
        """Returns an address of an attached medium for a viewer (None: anybody)."""
        expires_at = expiry(now, self.policy.address_lifetime)
        return Address(
            seal(Grant(media_id, viewer_id or NOBODY, epoch, expires_at, attached=True), self.key), expires_at
        )

    async def discard(self, uow: UnitOfWork, keys: Sequence[str], now: datetime) -> None:
        """Has objects that were made of deleted media deleted from storage, after the grace: until then, somebody may
        still write one."""
        await store.discard(uow, keys, now + self.policy.garbage_grace)

    async def hold(self, uow: UnitOfWork, media: Media, digest: bytes, match: Match, now: datetime) -> None:
        """Makes a medium that matched the hash list one that cannot be shown, and holds its content, which is stored
        and to which the medium refers, for moderators."""
        await evidence_store.hold(uow, media, digest, match, now, now + self.policy.evidence_lifetime)
        publish(uow, Held(media.id, media.account_id, match.distance), now)

    async def hold_ready(self, uow: UnitOfWork, media_id: UUID, match: Match, now: datetime) -> bool:
        """Holds a medium that was ready. Returns False if it is gone."""
        media = await store.find(uow, media_id, lock=True)
        if media is None or media.digest is None:
            return False
        await self.hold(uow, media, media.digest, match, now)
        return True

    async def lock(self, uow: UnitOfWork, media_id: UUID) -> Media | None:
        """Locks and returns a medium."""
        return await store.find(uow, media_id, lock=True)

    async def fail_ready(self, uow: UnitOfWork, media: Media, now: datetime) -> None:
        """Makes a locked medium that was ready one that cannot be shown, and releases its content. One that is held for
        moderators stays as it is."""
        if media.digest is not None:
            await store.fail_ready(uow, media.id, media.digest, now + self.policy.garbage_grace)

    async def delete(self, uow: UnitOfWork, account_id: UUID, media_id: UUID, now: datetime) -> None:
        """Deletes a medium. Raises NoSuchMedia, MediaAttached."""
        found = (await store.lock(uow, [media_id], account_id)).get(media_id)
        if found is None:
            raise NoSuchMedia
        if found.attached_to is not None:
            raise MediaAttached
        await store.delete(uow, [media_id], account_id, now + self.policy.garbage_grace)
        parts = await upload_store.delete(uow, [media_id])
        await store.discard(uow, [part_key(part_id) for part_id in parts], now)
