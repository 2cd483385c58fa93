"""Receives the body of one request into parts of an upload.

A part goes through three steps, so that nothing in storage is ever forgotten: its key is noted as garbage, its bytes
are stored, and a transaction makes it part of the upload if no newer request has fenced this one. Whoever dies in
between leaves garbage that is deleted a day later. No connection and no lock is held while bytes arrive.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime

from cluster.cancellation import run_to_completion
from cluster.ids import new_id
from cluster.objects import ObjectStorage
from cluster.postgres import Database, UnitOfWork
from features.events import publish
from features.media import store, upload_store
from features.media.checksum import Checksum
from features.media.errors import TooManyParts, UploadFenced, UploadStalled, WrongChecksum
from features.media.events import Uploaded
from features.media.machine import Upload, UploadKind, check_first_part, check_size, part_is_due
from features.media.metrics import BUFFERED_BYTES, ENDED_UPLOADS, INTERRUPTED, RECEIVED_BYTES
from features.media.model import part_key
from features.media.policy import MediaPolicy
from features.media.signatures import SIGNATURE_BYTES
from features.media.upload_store import Part


class BodyBroken(Exception):
    """The connection ended before the body did."""


@dataclass(slots=True)
class Buffered:
    """How many bytes the requests of this process have in memory, together."""

    brand: str
    size: int = 0

    def change(self, by: int) -> None:
        self.size += by
        BUFFERED_BYTES.labels(self.brand).inc(by)


@dataclass(slots=True)
class Reception:
    """One request that appends to `upload`, which has the fence of this request."""

    brand: str
    policy: MediaPolicy
    database: Database
    objects: ObjectStorage
    buffered: Buffered
    now: Callable[[], datetime]
    upload: Upload
    checksum: Checksum | None
    _buffer: bytearray = field(default_factory=bytearray)
    _unconfirmed: list[Part] = field(default_factory=list)
    """Stored, and not to be kept unless the checksum is right."""

    async def receive(self, body: AsyncIterator[bytes]) -> Upload:
        """Stores a body. Returns the upload after it. What had arrived is kept if the body breaks off (BodyBroken) or
        stalls, unless there is a checksum. Raises UploadFenced, UploadStalled, BeyondLength, FirstPartTooSmall,
        WrongContent, WrongChecksum, TooManyParts."""
        try:
            await self._receive(body)
            if self._buffer:
                await self._store_part()
            if self.checksum is not None:
                await self._confirm(self.checksum)
        except UploadFenced:
            INTERRUPTED.labels(self.brand, "fenced").inc()
            raise
        except OSError:
            INTERRUPTED.labels(self.brand, "storage").inc()
            raise
        finally:
            self._drop_buffer()
            if self._unconfirmed:
                await run_to_completion(self._forget(self._unconfirmed))
        return self.upload

    async def _receive(self, body: AsyncIterator[bytes]) -> None:
        while True:
            try:
                async with asyncio.timeout(self.policy.stall_timeout.total_seconds()):
                    chunk = await anext(body, None)
            except TimeoutError:
                INTERRUPTED.labels(self.brand, "stalled").inc()
                await self._keep_rest()
                raise UploadStalled from None
            except (BodyBroken, asyncio.CancelledError):  # some servers cancel a request whose client is gone
                INTERRUPTED.labels(self.brand, "cut").inc()
                await run_to_completion(self._keep_rest())
                raise
            if chunk is None:
                return
            check_size(self.upload, self._position, len(self._buffer) + len(chunk))
            if self.checksum is not None:
                self.checksum.update(chunk)
            self._buffer += chunk
            self.buffered.change(len(chunk))
            if part_is_due(len(self._buffer), self.buffered.size, self.policy.buffer_bytes):
                await self._store_part()

    @property
    def _position(self) -> int:
        """Where the buffer begins in the upload."""
        return self.upload.received + sum(part.size for part in self._unconfirmed)

    async def _keep_rest(self) -> None:
        first = self._position == 0 and len(self._buffer) < self.upload.length
        if self.checksum is None and self._buffer and not (first and len(self._buffer) < SIGNATURE_BYTES):
            await self._store_part()

    async def _store_part(self) -> None:
        start, data = self._position, self._buffer
        check_first_part(self.upload, start, data)
        if self.upload.parts + len(self._unconfirmed) >= self.policy.max_parts:
            raise TooManyParts
        part = Part(start, len(data), new_id(self.now()))
        async with self.database.unit_of_work() as uow:
            await store.discard(uow, [part_key(part.part_id)], self.now() + self.policy.upload_lifetime)
            await uow.commit()
        await self.objects.put(part_key(part.part_id), data)
        self._drop_buffer()
        self._unconfirmed.append(part)
        if self.checksum is None:
            await self._keep_parts()

    async def _confirm(self, checksum: Checksum) -> None:
        if not checksum.matches():
            raise WrongChecksum
        if self._unconfirmed:
            await self._keep_parts()

    async def _keep_parts(self) -> None:
        """Makes the stored parts part of the upload."""
        async with self.database.unit_of_work() as uow:
            advanced = await upload_store.advance(
                uow, self.upload, self._unconfirmed, self.now() + self.policy.upload_lifetime
            )
            if advanced is None:
                raise UploadFenced
            await store.keep(uow, [part_key(part.part_id) for part in self._unconfirmed])
            if advanced.complete and advanced.kind is not UploadKind.PARTIAL:
                await complete(uow, advanced, self.now())
            await uow.commit()
        RECEIVED_BYTES.labels(self.brand).inc(advanced.received - self.upload.received)
        if advanced.complete:
            ENDED_UPLOADS.labels(self.brand, "complete").inc()
        self.upload, self._unconfirmed = advanced, []

    async def _forget(self, parts: list[Part]) -> None:
        """Has parts deleted that did not become parts of the upload. Whether they did is for Postgres to say: the
        request may have been cancelled, or lost its connection, while it committed."""
        async with self.database.unit_of_work() as uow:
            await store.hasten(uow, [part_key(part.part_id) for part in parts], self.now())
            await uow.commit()

    def _drop_buffer(self) -> None:
        self.buffered.change(-len(self._buffer))
        self._buffer = bytearray()


async def complete(uow: UnitOfWork, upload: Upload, now: datetime) -> None:
    """Makes a medium of a complete upload, in the transaction of its last bytes. The medium has the upload's id."""
    assert upload.media_type is not None
    await store.insert(uow, upload.id, upload.account_id, upload.media_type, upload.length, now)
    publish(uow, Uploaded(upload.id, upload.account_id), now)
