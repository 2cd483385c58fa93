"""The service of backups: ciphertext that an account's devices write and read, each for the others and for later ones.

A segment is stored once and never changes. What is a backup is said by its version, which is replaced by
compare-and-swap: of two devices that write at once, one is told to read what the other has written.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from cluster.objects import NoSuchObject, ObjectStorage
from cluster.postgres import Database, UnitOfWork
from features.backups import store
from features.backups.errors import (
    BackupChanged,
    BackupFull,
    EmptySegment,
    NoSuchSegment,
    RepeatedSegment,
    SegmentsMissing,
    WrongDigest,
)
from features.backups.metrics import DISCARDED, RECEIVED_BYTES, WRITTEN
from features.backups.model import MAX_SEGMENTS, Backup, Segment, object_key
from features.backups.policy import BackupPolicy
from features.media import garbage

_AT_ONCE = MAX_SEGMENTS


@dataclass(frozen=True, slots=True)
class BackupService:
    brand: str
    policy: BackupPolicy
    database: Database
    objects: ObjectStorage
    now: Callable[[], datetime]

    async def get(self, uow: UnitOfWork, account_id: UUID) -> Backup:
        """Returns the backup of an account, version 0 if there is none. One statement."""
        return await store.find(uow, account_id)

    async def write(
        self, uow: UnitOfWork, account_id: UUID, based_on: int, header: bytes, digests: Sequence[bytes], now: datetime
    ) -> int:
        """Writes the version after `based_on` (0: there is none) with these segments, in order, and returns its number.
        Segments that it does not name are deleted. Raises RepeatedSegment, BackupChanged, SegmentsMissing."""
        if len(set(digests)) != len(digests):
            raise RepeatedSegment
        version = await store.write(uow, account_id, based_on, header, now)
        if version is None:
            WRITTEN.labels(self.brand, "changed").inc()
            raise BackupChanged(await store.version(uow, account_id))
        keys = await store.name_segments(uow, account_id, digests, now - self.policy.unnamed_lifetime)
        if keys is None:
            raise SegmentsMissing
        await garbage.discard(uow, keys, now)
        WRITTEN.labels(self.brand, "written").inc()
        DISCARDED.labels(self.brand).inc(len(keys))
        return version

    async def delete(self, uow: UnitOfWork, account_id: UUID, now: datetime) -> None:
        """Deletes the backup, if there is one, and all segments."""
        while keys := await store.delete(uow, account_id, _AT_ONCE):
            await garbage.discard(uow, keys, now)
            DISCARDED.labels(self.brand).inc(len(keys))

    async def upload(self, account_id: UUID, digest: bytes, data: bytes) -> None:
        """Stores a segment, in transactions of its own; the same one again does nothing. Raises EmptySegment,
        WrongDigest, BackupFull."""
        if not data:
            raise EmptySegment
        if hashlib.sha256(data).digest() != digest:
            raise WrongDigest
        object_id = uuid4()  # says nothing about when or whose
        key = object_key(object_id)
        async with self.database.unit_of_work() as uow:
            known = await store.touch(uow, account_id, digest, self.now())
            if not known:
                await self._require_room(uow, account_id, len(data))
                await garbage.discard(uow, [key], self.now() + self.policy.unnamed_lifetime)
            await uow.commit()
        if known:
            return
        await self.objects.put(key, data)
        async with self.database.unit_of_work() as uow:
            await store.lock(uow, account_id)  # of several uploads at once, each counts those before it
            if await store.insert(uow, account_id, Segment(digest, len(data)), object_id, self.now()):
                await self._require_room(uow, account_id, 0)
                await garbage.keep(uow, [key])
            await uow.commit()
        RECEIVED_BYTES.labels(self.brand).inc(len(data))

    async def read(self, uow: UnitOfWork, account_id: UUID, digest: bytes) -> bytes:
        """Returns the bytes of a segment of an account. Raises NoSuchSegment."""
        object_id = await store.object_of(uow, account_id, digest)
        if object_id is None:
            raise NoSuchSegment
        try:
            return b"".join([chunk async for chunk in self.objects.read(object_key(object_id))])
        except NoSuchObject:
            raise NoSuchSegment from None  # deleted since

    async def _require_room(self, uow: UnitOfWork, account_id: UUID, size: int) -> None:
        """`size`: of a segment that is not counted yet, 0 if it is."""
        used = await store.usage(uow, account_id)
        if used.bytes + size > self.policy.max_bytes:
            raise BackupFull(f"A backup has at most {self.policy.max_bytes:,} bytes.")
        if used.unnamed + (size > 0) > MAX_SEGMENTS:
            raise BackupFull(f"At most {MAX_SEGMENTS:,} segments can wait for a backup that names them.")
