"""A backup in a folder: on a disk, a stick, or where another program synchronises it."""

import asyncio
import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from client.backup.file_store import BackupUnavailable, HeaderChanged, SegmentMissing, StoredHeader, no_longer_named
from client.backup.header_file import decode_header_file, encode_header_file, version_of

_HEADER = "header.json"
_LOCK = ".lock"
_SEGMENT = re.compile("[0-9a-f]{64}")


class FolderStore:
    """A FileStore. A file is written whole or not at all, also if the machine loses power."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def header(self) -> StoredHeader | None:
        return await asyncio.to_thread(self._header)

    async def replace(self, content: bytes, segments: tuple[str, ...], former: StoredHeader | None) -> None:
        await asyncio.to_thread(self._replace, content, segments, former)

    async def put(self, name: str, data: bytes) -> None:
        def put() -> None:
            with _unavailable():
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                _write(self._path(name), data)

        await asyncio.to_thread(put)

    async def get(self, name: str) -> bytes:
        def get() -> bytes:
            with _unavailable():
                try:
                    return self._path(name).read_bytes()
                except FileNotFoundError:
                    raise SegmentMissing(name) from None

        return await asyncio.to_thread(get)

    async def delete(self) -> None:
        def delete() -> None:
            with _unavailable(), self._locked():
                (self._folder / _HEADER).unlink(missing_ok=True)
                self._delete_segments()

        await asyncio.to_thread(delete)

    def _header(self) -> StoredHeader | None:
        with _unavailable():
            try:
                data = (self._folder / _HEADER).read_bytes()
            except FileNotFoundError:
                return None
        content, segments = decode_header_file(data)
        return StoredHeader(version_of(data), content, segments)

    def _replace(self, content: bytes, segments: tuple[str, ...], former: StoredHeader | None) -> None:
        with _unavailable(), self._locked():
            present = self._header()
            if (present and present.version) != (former and former.version):
                raise HeaderChanged
            _write(self._folder / _HEADER, encode_header_file(content, segments))
            for name in no_longer_named(former, segments):
                (self._folder / name).unlink(missing_ok=True)

    def _delete_segments(self) -> None:
        for path in self._folder.iterdir():
            if _SEGMENT.match(path.name):
                path.unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        if not _SEGMENT.fullmatch(name):
            raise SegmentMissing(name)
        return self._folder / name

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Holds off other processes of this machine."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(self._folder / _LOCK, "ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BackupUnavailable(f"the folder of the backup: {error.strerror or error}") from error


def _write(path: Path, data: bytes) -> None:
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    try:
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
