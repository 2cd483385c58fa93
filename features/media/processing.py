"""Makes the stored object of a complete upload.

The object is named by the SHA-256 of its content, so that what several people upload is stored once. The handler may be
interrupted anywhere and run again: an object that nothing refers to is garbage from before it is written.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from time import perf_counter
from typing import TypeGuard

from cluster.events.consumer import Consumer
from cluster.objects import PART_BYTES, ObjectStorage, ObjectStorageUnavailable
from cluster.postgres import UnitOfWork
from features.events import consumer
from features.media import store, upload_store
from features.media.events import Uploaded
from features.media.metrics import PROCESSED
from features.media.model import Media, MediaState, object_key, part_key
from features.media.policy import MediaPolicy
from features.media.upload_store import Part


class ObjectLost(Exception):
    """The object was deleted while its medium was made; the next attempt writes it again."""


def _is_processing(media: Media | None) -> TypeGuard[Media]:
    return media is not None and media.state is MediaState.PROCESSING


@dataclass(frozen=True, slots=True)
class Processing:
    brand: str
    policy: MediaPolicy
    objects: ObjectStorage
    now: Callable[[], datetime]

    def consumers(self) -> list[Consumer]:
        """The consumers of this slice."""
        return [
            consumer(
                "media.processing",
                (Uploaded,),
                self._process,
                outside=True,
                concurrency=4,
                outages=(ObjectStorageUnavailable,),
                start="oldest",
            )
        ]

    async def _process(self, uow: UnitOfWork, event: Uploaded) -> None:
        begun = perf_counter()
        media = await store.find(uow, event.media_id)
        if not _is_processing(media):
            return
        parts = await upload_store.parts(uow, media.id)
        await uow.commit()  # the connection is free while bytes are copied
        digest = await self._digest(parts)
        key = object_key(digest)
        stored = await store.claim_object(uow, key, digest, media.size, self.now() + self.policy.garbage_grace)
        await uow.commit()
        if not stored:
            await self._copy(parts, key, media.size)
        if not _is_processing(await store.find(uow, media.id, lock=True)):
            return  # deleted meanwhile, or another process was faster
        if not await store.refer_to_object(uow, key, digest):
            raise ObjectLost
        await store.make_ready(uow, media.id, digest)
        part_ids = await upload_store.delete_parts(uow, media.id)
        await store.discard(uow, [part_key(part_id) for part_id in part_ids], self.now())
        PROCESSED.labels(self.brand).observe(perf_counter() - begun)

    async def _digest(self, parts: Sequence[Part]) -> bytes:
        content = sha256()
        async for chunk in self._read(parts):
            content.update(chunk)
        return content.digest()

    async def _copy(self, parts: Sequence[Part], key: str, size: int) -> None:
        if size <= PART_BYTES:  # one request instead of three
            await self.objects.put(key, b"".join([chunk async for chunk in self._read(parts)]))
        else:
            await self.objects.put_stream(key, self._read(parts))

    async def _read(self, parts: Sequence[Part]) -> AsyncIterator[bytes]:
        for part in parts:
            async for chunk in self.objects.read(part_key(part.part_id)):
                yield chunk
