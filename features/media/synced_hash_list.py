"""A provider's list of hashes, from a file or over HTTP, which is asked for again from time to time.

It is read when the first picture is to be compared, and again when that was some time ago: a platform to which nobody
uploads asks nobody. A list that cannot be read leaves the former one in use. The last good one is kept in object
storage, for processes that start while the provider is away.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx

from cluster.logs import logger
from cluster.objects import NoSuchObject, ObjectStorage, ObjectStorageUnavailable
from cluster.settings import Settings
from features.media.hash_index import HashIndex, Match
from features.media.hash_list import BadHashList, HashListUnavailable, check_digest, parse_hash_list, read_bounded
from features.media.metrics import HASH_LIST_ENTRIES, HASH_LIST_READ
from features.media.pdq import PictureHash
from features.media.policy import MediaPolicy

KEY = "hash-list"
_TIMEOUT_S = 60.0
"""For the whole of a list."""
_RETRY = timedelta(minutes=1)

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Provider:
    """Where a list comes from: the path of a file, or an http(s) address that may want a bearer token."""

    url: str
    token: str
    max_bytes: int
    refresh: timedelta

    @property
    def is_remote(self) -> bool:
        return self.url.startswith(("https://", "http://"))


def hash_list_of(settings: Settings, brand: str, policy: MediaPolicy, objects: ObjectStorage) -> SyncedHashList | None:
    """Returns the list of an installation; None: it has none."""
    if not settings.hash_list_url:
        return None
    token = settings.hash_list_token.get_secret_value()
    provider = Provider(settings.hash_list_url, token, policy.hash_list_bytes, policy.hash_list_refresh)
    return SyncedHashList(brand, provider, objects)


class SyncedHashList:
    """Implements features.media.hash_list.HashList."""

    def __init__(
        self, brand: str, provider: Provider, objects: ObjectStorage, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._brand = brand
        self._provider = provider
        self._objects = objects
        self._monotonic = monotonic
        self._index: HashIndex | None = None
        self._version = ""
        """The ETag of the response, or what changes with the file."""
        self._due_at = -float("inf")
        self._lock = asyncio.Lock()

    async def nearest(self, value: PictureHash, distance: int) -> Match | None:
        """See HashList.nearest."""
        if self._monotonic() >= self._due_at:
            await self._refresh()
        if self._index is None:
            raise HashListUnavailable
        return await asyncio.to_thread(self._index.nearest, value.value, distance)

    async def _refresh(self) -> None:
        async with self._lock:
            if self._monotonic() < self._due_at:
                return
            try:
                await self.read()
                pause = self._provider.refresh
            except (BadHashList, HashListUnavailable) as error:
                log.error("hash list not read", error=type(error).__name__, reason=str(error))
                pause = min(_RETRY, self._provider.refresh)
                if self._index is None:
                    await self._use_kept()
            self._due_at = self._monotonic() + pause.total_seconds()

    async def read(self) -> int:
        """Reads the list if it has changed. Returns how many hashes it has. Raises BadHashList, HashListUnavailable."""
        data = await (self._fetch() if self._provider.is_remote else asyncio.to_thread(self._read_file))
        if data is not None:
            content, version = data
            index = await asyncio.to_thread(parse_hash_list, content)
            self._use(index)
            self._version = version
            await self._keep(content)
        assert self._index is not None
        HASH_LIST_READ.labels(self._brand).set_to_current_time()
        return len(self._index)

    def _use(self, index: HashIndex) -> None:
        self._index = index
        HASH_LIST_ENTRIES.labels(self._brand).set(len(index))

    def _read_file(self) -> tuple[bytes, str] | None:
        path = Path(self._provider.url.removeprefix("file://"))
        try:
            status = path.stat()
            version = f"{status.st_mtime_ns}-{status.st_size}-{status.st_ino}"
            if version == self._version:
                return None
            if status.st_size > self._provider.max_bytes:
                raise BadHashList(f"more than {self._provider.max_bytes} bytes")
            return path.read_bytes(), version
        except OSError as error:
            raise HashListUnavailable(type(error).__name__) from error

    async def _fetch(self) -> tuple[bytes, str] | None:
        headers = {"Accept": "text/csv, text/plain"}
        if self._provider.token:
            headers["Authorization"] = f"Bearer {self._provider.token}"
        if self._version:
            headers["If-None-Match"] = self._version
        try:
            async with (
                asyncio.timeout(_TIMEOUT_S),
                httpx.AsyncClient() as client,
                client.stream("GET", self._provider.url, headers=headers) as response,
            ):
                if response.status_code == 304 and self._version:
                    return None
                if response.status_code != 200:
                    raise HashListUnavailable(f"status {response.status_code}")
                content = await read_bounded(response.aiter_bytes(), self._provider.max_bytes)
        except (httpx.HTTPError, TimeoutError) as error:
            raise HashListUnavailable(type(error).__name__) from error
        check_digest(content, response.headers.get("Repr-Digest"))
        return content, response.headers.get("ETag", "")

    async def _keep(self, content: bytes) -> None:
        try:
            await self._objects.put(KEY, content)
        except ObjectStorageUnavailable as error:
            log.warning("hash list not kept", error=type(error).__name__)

    async def _use_kept(self) -> None:
        try:
            content = await read_bounded(self._objects.read(KEY), self._provider.max_bytes)
            self._use(await asyncio.to_thread(parse_hash_list, content))
        except (NoSuchObject, ObjectStorageUnavailable, BadHashList):
            return
