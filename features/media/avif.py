"""AVIF files of images that are read often: half as large as WebP, at 25 times the CPU time of a JPEG."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from cluster.events.consumer import Consumer
from cluster.objects import NoSuchObject, ObjectStorageUnavailable
from cluster.postgres import UnitOfWork
from features.events import consumer
from features.media import store
from features.media.events import OftenRead
from features.media.image_orders import ImageFormat, ImageLimits, ImageOrder, Refused
from features.media.image_renderer import ImageRenderer
from features.media.metrics import AVIF
from features.media.model import Media, StoredFile, object_key
from features.media.policy import MediaPolicy
from features.media.processing import ObjectLost, limits_of, order_of
from features.media.service import MediaService

_NICENESS = 10
"""Of the process that encodes: it gets a tenth of what others get, and is done on a busy machine, too."""


@dataclass(frozen=True, slots=True)
class AvifEncoding:
    brand: str
    media: MediaService
    renderer: ImageRenderer
    now: Callable[[], datetime]

    def consumers(self) -> list[Consumer]:
        """The consumer of images that are read often: it encodes one at a time."""
        return [
            consumer(
                "media.avif",
                (OftenRead,),
                self._encode,
                outside=True,
                concurrency=1,
                max_attempts=3,
                outages=(ObjectStorageUnavailable,),
            )
        ]

    async def _encode(self, uow: UnitOfWork, event: OftenRead) -> None:
        media = await store.find(uow, event.media_id)
        if media is None or media.digest is None or media.image is None or await store.has_avif(uow, media.id):
            return
        await uow.commit()  # the connection is free meanwhile
        outcome = "gone"
        try:
            outcome = await self._make(uow, media, media.digest)
        except NoSuchObject:  # the medium was deleted
            pass
        except Refused as refused:  # too complex at this effort
            outcome = refused.failure.value
        AVIF.labels(self.brand, outcome).inc()

    async def _make(self, uow: UnitOfWork, media: Media, digest: bytes) -> str:
        policy, objects = self.media.policy, self.media.objects
        original = b"".join([chunk async for chunk in objects.read(object_key(digest))])
        rendered = await self.renderer.render(original, avif_order(media, policy), avif_limits(policy))
        contents = {sha256(content).digest(): content for content in rendered.files.values()}
        files = {
            name: StoredFile(ImageFormat.AVIF.content_type, len(content), sha256(content).digest())
            for name, content in rendered.files.items()
        }
        sizes = {key: len(content) for key, content in contents.items()}
        present = await store.claim_objects(uow, sizes, self.now() + policy.garbage_grace)
        await uow.commit()
        for key, content in contents.items():
            if key not in present:
                await objects.put(object_key(key), content)
        locked = await store.find(uow, media.id, lock=True)
        if locked is None or locked.digest != digest or await store.has_avif(uow, media.id):
            return "gone"
        if not await store.refer_to_objects(uow, [file.digest for file in files.values()], self.now()):
            raise ObjectLost
        await store.add_files(uow, media.id, files)
        return "made"


def avif_order(media: Media, policy: MediaPolicy) -> ImageOrder:
    """Returns what is wanted of an image that is read often."""
    order = order_of(media.media_type, policy)
    return ImageOrder(
        media_type=order.media_type,
        widths=order.widths,
        formats=(ImageFormat.AVIF,),
        quality=policy.avif_quality,
        max_pixels=order.max_pixels,
        max_frames=order.max_frames,
        niceness=_NICENESS,
    )


def avif_limits(policy: MediaPolicy) -> ImageLimits:
    """Returns what such an image may cost."""
    limits = limits_of(policy)
    return ImageLimits(limits.memory_bytes, limits.decoding_s, policy.avif_encoding_s, policy.avif_elapsed_s)
