"""Makes the stored objects of a complete upload: what was uploaded, and what others see of an image.

An object is named by the SHA-256 of its content, so that what several people upload is stored once. The handler may be
interrupted anywhere and run again: an object that nothing refers to is garbage from before it is written.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from time import perf_counter
from typing import TypeGuard

from cluster.events.consumer import Consumer
from cluster.objects import PART_BYTES, ObjectStorage, ObjectStorageUnavailable
from cluster.postgres import UnitOfWork
from features.events import consumer, publish
from features.media import store, upload_store
from features.media.events import Stored, Uploaded
from features.media.hash_index import Match
from features.media.image_orders import AT_ONCE, ImageFormat, ImageLimits, ImageOrder, Refused
from features.media.image_renderer import ImageRenderer, RenderedImage
from features.media.metrics import IMAGE_CPU, IMAGES, PROCESSED
from features.media.model import ImageFailure, Media, MediaState, MediaType, StoredFile, object_key, part_key
from features.media.policy import MediaPolicy
from features.media.service import MediaService
from features.media.upload_store import Part


class ObjectLost(Exception):
    """An object was deleted while its medium was made; the next attempt writes it again."""


def _is_processing(media: Media | None) -> TypeGuard[Media]:
    return media is not None and media.state is MediaState.PROCESSING


@dataclass(frozen=True, slots=True)
class Processing:
    brand: str
    media: MediaService
    renderer: ImageRenderer
    now: Callable[[], datetime]

    @property
    def policy(self) -> MediaPolicy:
        return self.media.policy

    @property
    def objects(self) -> ObjectStorage:
        return self.media.objects

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
        if media.media_type.is_image:
            await self._process_image(uow, media, parts)
        else:
            await self._process_other(uow, media, parts)
        PROCESSED.labels(self.brand).observe(perf_counter() - begun)

    async def _process_other(self, uow: UnitOfWork, media: Media, parts: Sequence[Part]) -> None:
        content = sha256()
        async for chunk in self._read(parts):
            content.update(chunk)
        digest = content.digest()
        if not await self._claim(uow, {digest: media.size}):
            if media.size <= PART_BYTES:  # one request instead of three
                await self.objects.put(object_key(digest), await self._all(parts))
            else:
                await self.objects.put_stream(object_key(digest), self._read(parts))
        if await self._refer(uow, media, [digest]):
            await self._finish(uow, media, digest)

    async def _process_image(self, uow: UnitOfWork, media: Media, parts: Sequence[Part]) -> None:
        original = await self._all(parts)
        try:
            rendered = await self._render(original, media.media_type)
        except Refused as refused:
            IMAGES.labels(self.brand, refused.failure).inc()
            if _is_processing(await store.find(uow, media.id, lock=True)):
                await store.fail(uow, media.id, refused.failure)
                await self._discard_parts(uow, media)
            return
        digest = sha256(original).digest()
        if (match := await self.media.screening.screen(rendered.hashes)) is not None:
            await self._hold(uow, media, digest, original, match)
            return
        contents = {digest: original}
        files = dict[str, StoredFile]()
        for name, content in rendered.files.items():
            file = sha256(content).digest()
            contents[file] = content
            content_type = ImageFormat(name.rpartition(".")[2]).content_type
            files[name] = StoredFile(content_type, len(content), file)
        await self._put(uow, contents)
        if await self._refer(uow, media, [digest, *(file.digest for file in files.values())]):
            await store.describe_image(uow, media.id, rendered.image, files)
            await self._finish(uow, media, digest)
            IMAGES.labels(self.brand, "ready").inc()

    async def _hold(self, uow: UnitOfWork, media: Media, digest: bytes, original: bytes, match: Match) -> None:
        await self._put(uow, {digest: original})
        if await self._refer(uow, media, [digest]):
            await self.media.hold(uow, media, digest, match, self.now())
            await self._discard_parts(uow, media)
            IMAGES.labels(self.brand, ImageFailure.NOT_ALLOWED).inc()

    async def _put(self, uow: UnitOfWork, contents: Mapping[bytes, bytes]) -> None:
        """Stores objects, given by digest, that are not stored yet."""
        stored = await self._claim(uow, {digest: len(content) for digest, content in contents.items()})
        for digest, content in contents.items():
            if digest not in stored:
                await self.objects.put(object_key(digest), content)

    async def _render(self, original: bytes, media_type: MediaType) -> RenderedImage:
        rendered = await self.renderer.render(original, order_of(media_type, self.policy), limits_of(self.policy))
        IMAGE_CPU.labels(self.brand).observe(rendered.cost.cpu_s)
        return rendered

    async def _claim(self, uow: UnitOfWork, sizes: Mapping[bytes, int]) -> set[bytes]:
        """Announces objects, given by digest and size. Returns those that are stored."""
        stored = await store.claim_objects(uow, sizes, self.now() + self.policy.garbage_grace)
        await uow.commit()
        return stored

    async def _refer(self, uow: UnitOfWork, media: Media, digests: Sequence[bytes]) -> bool:
        """Locks a medium and has it refer to stored objects. Returns False if it was deleted meanwhile, or another
        process was faster. Raises ObjectLost."""
        if not _is_processing(await store.find(uow, media.id, lock=True)):
            return False
        if not await store.refer_to_objects(uow, digests, self.now()):
            raise ObjectLost
        return True

    async def _finish(self, uow: UnitOfWork, media: Media, digest: bytes) -> None:
        await store.make_ready(uow, media.id, digest)
        publish(uow, Stored(media.id, media.account_id, media.media_type), self.now())
        await self._discard_parts(uow, media)

    async def _discard_parts(self, uow: UnitOfWork, media: Media) -> None:
        part_ids = await upload_store.delete_parts(uow, media.id)
        await store.discard(uow, [part_key(part_id) for part_id in part_ids], self.now())

    async def _all(self, parts: Sequence[Part]) -> bytes:
        return b"".join([chunk async for chunk in self._read(parts)])

    async def _read(self, parts: Sequence[Part]) -> AsyncIterator[bytes]:
        for part in parts:
            async for chunk in self.objects.read(part_key(part.part_id)):
                yield chunk


def order_of(media_type: MediaType, policy: MediaPolicy) -> ImageOrder:
    """Returns what a brand wants of an image."""
    return ImageOrder(
        media_type=media_type,
        widths=policy.image_widths,
        formats=AT_ONCE,
        quality=policy.image_quality,
        max_pixels=policy.max_image_pixels,
        max_frames=policy.max_image_frames,
    )


def limits_of(policy: MediaPolicy) -> ImageLimits:
    """Returns what a brand lets an image cost."""
    return ImageLimits(
        memory_bytes=policy.image_memory_bytes,
        decoding_s=policy.image_decoding_s,
        encoding_s=policy.image_encoding_s,
        elapsed_s=policy.image_elapsed_s,
    )
