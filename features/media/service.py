"""The service of media: what an account has uploaded. Nobody else sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cluster.objects import ObjectStorage
from cluster.postgres import UnitOfWork
from features.media import store, upload_store
from features.media.addresses import Grant, expiry, open_token, seal
from features.media.errors import MediaFailed, NoSuchMedia, StillProcessing
from features.media.metrics import SENT_BYTES
from features.media.model import Address, Media, MediaState, StoredFile, object_key, part_key
from features.media.policy import MediaPolicy
from features.media.uploads import UploadService
from features.paging import Page, PageRequest, page_of


@dataclass(frozen=True, slots=True)
class MediaService:
    brand: str
    policy: MediaPolicy
    objects: ObjectStorage
    uploads: UploadService
    key: bytes
    """Authenticates addresses."""

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

    def open_token(self, token: str, now: datetime) -> Grant:
        """Returns the grant of an address. Raises NoSuchMedia if it is none, or has expired."""
        grant = open_token(token, self.key, now)
        if grant is None:
            raise NoSuchMedia
        return grant

    async def get_granted(self, uow: UnitOfWork, grant: Grant, name: str) -> StoredFile:
        """Returns a file of the medium of a grant, in one statement. Raises NoSuchMedia if the grant has ended, or the
        medium has no such file."""
        file = await store.find_readable(uow, grant.media_id, grant.viewer_id, grant.epoch, name)
        if file is None:
            raise NoSuchMedia
        return file

    async def end_addresses(self, uow: UnitOfWork, account_id: UUID, media_id: UUID) -> None:
        """Ends all addresses of a medium that were given out. Raises NoSuchMedia."""
        if not await store.next_epoch(uow, media_id, account_id):
            raise NoSuchMedia

    async def read(self, file: StoredFile, start: int, end: int) -> AsyncIterator[bytes]:
        """Yields the bytes of a file, from `start` to before `end`."""
        async for chunk in self.objects.read(object_key(file.digest), start, end):
            SENT_BYTES.labels(self.brand).inc(len(chunk))
            yield chunk

    async def delete(self, uow: UnitOfWork, account_id: UUID, media_id: UUID, now: datetime) -> None:
        """Deletes a medium. Raises NoSuchMedia."""
        if not await store.delete(uow, [media_id], account_id, now + self.policy.garbage_grace):
            raise NoSuchMedia
        parts = await upload_store.delete(uow, [media_id])
        await store.discard(uow, [part_key(part_id) for part_id in parts], now)
