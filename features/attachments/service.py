"""The service of attachments: ciphertext that one account uploads and that any account reads that knows the id.

The id is a capability: random, and in messages only inside the encryption. The server does not learn in which
conversation an attachment was sent, and cannot say who may read it.

The objects of all parts are noted as garbage when an upload begins, due when it expires: then run_media_sweeps deletes
them, and run_retention the row, whatever has happened meanwhile. Both are later than requests that were admitted before
and are still at work, so that no part is stored and forgotten.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from cluster.objects import NoSuchObject, ObjectStorage
from cluster.postgres import Database, UnitOfWork
from features.attachments import store
from features.attachments.errors import (
    AttachmentsFull,
    AttachmentTooLarge,
    NoSuchAttachment,
    PartOutOfOrder,
    WrongPartSize,
)
from features.attachments.metrics import ATTACHMENTS, RECEIVED_BYTES
from features.attachments.model import GARBAGE_DELAY, PART_BYTES, Attachment, object_key, object_keys
from features.attachments.policy import AttachmentPolicy
from features.media import garbage


@dataclass(frozen=True, slots=True)
class AttachmentService:
    brand: str
    policy: AttachmentPolicy
    database: Database
    objects: ObjectStorage
    now: Callable[[], datetime]

    async def begin(self, uow: UnitOfWork, account_id: UUID, size: int, now: datetime) -> Attachment:
        """Begins an attachment of `size` > 0 bytes. Raises AttachmentTooLarge, AttachmentsFull."""
        if size > self.policy.max_bytes:
            raise AttachmentTooLarge(f"An attachment has at most {self.policy.max_bytes:,} bytes, encrypted.")
        await self._require_room(uow, account_id, size, now)
        attachment = Attachment(uuid4(), account_id, size, 0, now + self.policy.upload_lifetime)
        await store.insert(uow, attachment)
        await self._discard_at(uow, attachment, attachment.expires_at)
        ATTACHMENTS.labels(self.brand, "begun").inc()
        return attachment

    async def get(self, uow: UnitOfWork, account_id: UUID, attachment_id: UUID, now: datetime) -> Attachment:
        """Returns an attachment of the caller's. Raises NoSuchAttachment."""
        found = await store.find(uow, attachment_id, now)
        if found is None or found.account_id != account_id:
            raise NoSuchAttachment
        return found

    async def get_readable(self, uow: UnitOfWork, attachment_id: UUID, now: datetime) -> Attachment:
        """Returns a complete attachment, for whoever knows its id. Raises NoSuchAttachment."""
        found = await store.find(uow, attachment_id, now)
        if found is None or not found.complete:
            raise NoSuchAttachment
        return found

    async def read(self, attachment: Attachment, start: int, end: int) -> AsyncIterator[bytes]:
        """Yields the bytes from `start` to before `end`, which is larger. Raises NoSuchAttachment."""
        try:
            for number in range(start // PART_BYTES, (end - 1) // PART_BYTES + 1):
                first = number * PART_BYTES
                key = object_key(attachment.id, number)
                async for chunk in self.objects.read(key, max(start - first, 0), min(end - first, PART_BYTES)):
                    yield chunk
        except NoSuchObject:
            raise NoSuchAttachment from None  # deleted since

    async def receive(self, account_id: UUID, attachment_id: UUID, number: int, data: bytes) -> Attachment:
        """Stores a part, in transactions of its own, and returns the attachment after it; a part that is stored already
        stays as it is. Raises NoSuchAttachment, PartOutOfOrder, WrongPartSize."""
        async with self.database.unit_of_work(read_only=True) as uow:
            found = await self.get(uow, account_id, attachment_id, self.now())
        if number < found.next_part:
            return found
        if number > found.next_part or found.complete:
            raise PartOutOfOrder(found.received)
        if len(data) != found.part_size(number):
            raise WrongPartSize(f"This part has {found.part_size(number):,} bytes.")
        await self.objects.put(object_key(attachment_id, number), data)
        async with self.database.unit_of_work() as uow:
            received = found.received + len(data)
            now = self.now()
            complete = received == found.size
            expires_at = now + self.policy.lifetime if complete else found.expires_at
            advanced = await store.advance(uow, found, received, expires_at, now)
            if advanced is None:  # the same request at the same time, or it was deleted
                return await self.get(uow, account_id, attachment_id, now)
            if complete:
                await self._discard_at(uow, advanced, expires_at)
            await uow.commit()
        RECEIVED_BYTES.labels(self.brand).inc(len(data))
        if complete:
            ATTACHMENTS.labels(self.brand, "complete").inc()
        return advanced

    async def delete(self, uow: UnitOfWork, account_id: UUID, attachment_id: UUID, now: datetime) -> None:
        """Deletes an attachment of the caller's: nobody reads it any more. Raises NoSuchAttachment."""
        deleted = await store.delete(uow, attachment_id, account_id)
        if deleted is None:
            raise NoSuchAttachment
        await self._discard_at(uow, deleted, now)
        ATTACHMENTS.labels(self.brand, "deleted").inc()

    async def _discard_at(self, uow: UnitOfWork, attachment: Attachment, at: datetime) -> None:
        await garbage.discard(uow, object_keys(attachment.id, attachment.size), at + GARBAGE_DELAY)

    async def _require_room(self, uow: UnitOfWork, account_id: UUID, size: int, now: datetime) -> None:
        """Several uploads that begin at once may each find the last room: an account has a few more then."""
        used = await store.usage(uow, account_id, now)
        if used.bytes + size > self.policy.max_bytes_per_account:
            raise AttachmentsFull(
                f"Your attachments have at most {self.policy.max_bytes_per_account:,} bytes together."
            )
        if used.number >= self.policy.max_per_account:
            raise AttachmentsFull(f"You have at most {self.policy.max_per_account:,} attachments at once.")
