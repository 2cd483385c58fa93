"""Object storage: bytes by key, in a local folder or behind the S3 API.

Both are backends of one client, obstore (docs/decisions/object-storage.md). Keys are relative paths; every brand has a
folder or prefix of its own. An object is written whole or not at all: no reader sees a part of one.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, S3Store

from cluster.logs import logger
from cluster.metrics import Counter, Histogram
from cluster.settings import Settings

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import ClientConfig, RetryConfig, S3Config

PART_BYTES = 8 * 1024 * 1024
"""A stream is written in parts of this size (S3 wants at least 5 MiB)."""
_PARTS_IN_FLIGHT = 2
_READ_BYTES = 256 * 1024

_MOST_WRITERS = 16
"""Of one key at once, in a folder."""
_ABANDONED_S = 86_400.0
"""No writer is silent for so long."""

_LOGGED = 500

log = logger(__name__)

SECONDS = Histogram("entativa_object_storage_seconds", "Time of calls to object storage", ["operation"])
FAILED = Counter("entativa_object_storage_failures_total", "Calls to object storage that failed", ["operation"])

# What a caller waits for at most is about the sum of the two: then it is an outage.
_RETRIES: RetryConfig = {"max_retries": 3, "retry_timeout": timedelta(seconds=10)}
_CLIENT: ClientConfig = {"connect_timeout": timedelta(seconds=3), "timeout": timedelta(seconds=60)}


class NoSuchObject(LookupError):
    """There is no object with this key."""


class ObjectStorageUnavailable(ConnectionError):
    """Object storage cannot be reached, or refuses what this installation sends. Logs have the reason."""


class ObjectStorage:
    """The objects of one brand. All methods raise ObjectStorageUnavailable."""

    def __init__(self, open_store: Callable[[], LocalStore | S3Store]) -> None:
        self._open_store = open_store

    @cached_property
    def _store(self) -> LocalStore | S3Store:
        """Opened at the first use: many processes have features whose objects they never touch."""
        return self._open_store()

    async def put(self, key: str, data: bytes | bytearray) -> None:
        """Writes an object, in place of the one that has the key."""
        with _call("put"):
            await obstore.put_async(self._store, key, data, use_multipart=False)
        await self._tidy(key)

    async def put_new(self, key: str, data: bytes) -> bool:
        """Writes an object unless there is one with the key (If-None-Match: *). Returns whether it was written: of
        several at once, one is."""
        with _call("put_new"):
            try:
                await obstore.put_async(self._store, key, data, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return False
        await self._tidy(key)
        return True

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        """Writes an object of any size, in place of the one that has the key, in parts of PART_BYTES and with a few of
        them in memory. If `chunks` raises, nothing is written and this raises the same."""
        failure: list[Exception] = []

        async def watched() -> AsyncIterator[bytes]:
            try:
                async for chunk in chunks:
                    yield chunk
            except Exception as error:
                failure.append(error)
                raise

        with _call("put_stream"):
            try:
                await obstore.put_async(
                    self._store,
                    key,
                    watched(),
                    use_multipart=True,
                    chunk_size=PART_BYTES,
                    max_concurrency=_PARTS_IN_FLIGHT,
                )
            except Exception:
                if failure:  # obstore wraps it in an error of its own
                    raise failure[0] from None
                raise
        await self._tidy(key)

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Yields the bytes of an object from `start` to before `end` (None: its last), some 256 KiB at a time; the
        range must not be empty. Raises NoSuchObject."""
        with _call("read"):
            options: GetOptions = {"range": {"offset": start} if end is None else (start, end)}
            found = await obstore.get_async(self._store, key, options=options)
            stream = found.stream(min_chunk_size=_READ_BYTES)
        chunks = aiter(stream)
        while True:
            with _call("read_chunk"):
                try:
                    chunk = await anext(chunks)
                except StopAsyncIteration:
                    return
            yield bytes(chunk)

    async def delete(self, keys: Sequence[str]) -> None:
        """Deletes objects, and what killed processes left of them half-written. Those that do not exist are none."""
        with _call("delete"):
            if isinstance(self._store, S3Store):
                if keys:
                    await obstore.delete_async(self._store, keys)
                return
            for key in keys:  # a folder, unlike S3, says that there is none, and forgets the others then
                with suppress(FileNotFoundError):
                    await obstore.delete_async(self._store, key)
            await asyncio.to_thread(_delete_staged, Path(str(self._store.prefix)), keys)

    async def _tidy(self, key: str) -> None:
        """Deletes what killed processes left half-written of an object that is written now, in a folder. What cannot be
        deleted stays until the next time."""
        if isinstance(self._store, LocalStore):
            folder, since = Path(str(self._store.prefix)), time.time() - _ABANDONED_S
            try:
                await asyncio.to_thread(_delete_staged, folder, [key], since)
            except OSError as error:
                log.warning("half-written object not deleted", error=type(error).__name__)


def _delete_staged(folder: Path, keys: Sequence[str], since: float = math.inf) -> None:
    """Deletes files that were to become these objects and that nobody has written to since a time (of `time.time`). An
    object is written as `<key>#<number>`, the lowest number from 1 that has no file, and renamed then: each killed
    writer takes one, and gaps are those of writers that have ended. The folder is not listed, since it may have very
    many files."""
    for key in keys:
        number = last = 0
        while number < last + _MOST_WRITERS:
            number += 1
            path = folder / f"{key}#{number}"
            with suppress(FileNotFoundError):
                if path.stat().st_mtime <= since:
                    path.unlink()
                last = number


@contextmanager
def _call(operation: str) -> Iterator[None]:
    """Measures a call, and translates what obstore raises."""
    with SECONDS.labels(operation).time():
        try:
            yield
        except (BaseError, OSError) as error:
            # A bucket that does not exist is an error of the installation.
            if isinstance(error, FileNotFoundError) and "NoSuchBucket" not in str(error):
                raise NoSuchObject from error
            FAILED.labels(operation).inc()
            log.warning("object storage failed", operation=operation, error=str(error).partition("\n")[0][:_LOGGED])
            raise ObjectStorageUnavailable(f"{operation}: {type(error).__name__}") from error


def open_objects(settings: Settings, brand: str) -> ObjectStorage:
    """Returns the objects of a brand. Raises ValueError for a setting that names no storage; connects to nothing."""
    address = urlsplit(settings.objects_url)
    if address.scheme in ("", "file") and address.path:
        return ObjectStorage(partial(LocalStore, Path(address.path).resolve() / brand, mkdir=True))
    if address.scheme != "s3" or not address.hostname:
        raise ValueError("ENTATIVA_OBJECTS_URL must be a folder, or s3://BUCKET or s3://BUCKET/PREFIX")
    config: S3Config = {"region": settings.objects_s3_region}
    if settings.objects_s3_endpoint:
        config["endpoint"] = settings.objects_s3_endpoint
    if settings.objects_s3_access_key_id:
        config["access_key_id"] = settings.objects_s3_access_key_id
        config["secret_access_key"] = settings.objects_s3_secret_access_key.get_secret_value()
    prefix = "/".join(part for part in (address.path.strip("/"), brand) if part)
    client: ClientConfig = {**_CLIENT, "allow_http": settings.objects_s3_endpoint.startswith("http://")}
    bucket = address.hostname
    return ObjectStorage(
        lambda: S3Store(bucket, prefix=prefix, config=config, client_options=client, retry_config=_RETRIES)
    )
