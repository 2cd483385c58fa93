"""Copies of uploaded files on this machine's disk, which all jobs of a video share, and folders to work in.

A job holds a shared lock (flock) on the copy while it reads it; whoever holds the exclusive one may write or delete it.
Locks end with their process, so nothing is left locked by one that was killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from cluster.objects import ObjectStorage
from cluster.settings import Settings

UNUSED_S = 60.0
"""How long a copy is kept for the next job."""

_POLL_S = 0.05
_WORKSPACE = "work-"


class SourceFiles:
    """The copies of one brand, in a folder that only this user can read."""

    def __init__(self, folder: Path, objects: ObjectStorage) -> None:
        self._folder = folder
        self._objects = objects

    @classmethod
    def of(cls, settings: Settings, brand: str, objects: ObjectStorage) -> SourceFiles:
        """Returns the copies of a brand on this machine."""
        folder = settings.videos_directory or Path(tempfile.gettempdir()) / f"entativa-videos-{os.getuid()}"
        return cls(folder / brand, objects)

    @asynccontextmanager
    async def open(self, key: str, size: int) -> AsyncIterator[Path]:
        """Yields a copy of an object, which stays until the end of the block. Raises NoSuchObject,
        ObjectStorageUnavailable."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.sweep()
        path = self._folder / key.replace("/", "-")
        while (lock := _try_lock(path)) is None:  # noqa: ASYNC110 - other processes hold locks, too
            await asyncio.sleep(_POLL_S)
        try:
            if not _is_complete(path, size):
                await self._copy(key, path)
            fcntl.flock(lock, fcntl.LOCK_SH)
            yield path
            os.utime(lock)
        finally:
            os.close(lock)

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """Yields an empty folder, which is deleted after the block; `sweep` deletes that of a process that was
        killed."""
        folder = Path(tempfile.mkdtemp(prefix=_WORKSPACE, dir=self._folder))
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)

    async def _copy(self, key: str, path: Path) -> None:
        part = Path(f"{path}.part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            async for chunk in self._objects.read(key):
                await asyncio.to_thread(os.write, descriptor, chunk)
            os.rename(part, path)
        finally:
            os.close(descriptor)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(part)

    def sweep(self, unused_s: float = UNUSED_S) -> int:
        """Deletes copies that no job has used for a while, and what killed processes worked on. Returns how many."""
        deleted = sum(_delete_abandoned(folder, unused_s) for folder in self._folder.glob(f"{_WORKSPACE}*"))
        for name in self._folder.glob("*.lock"):
            with contextlib.suppress(FileNotFoundError, BlockingIOError):
                lock = os.open(name, os.O_RDWR)
                try:
                    if os.fstat(lock).st_mtime > time.time() - unused_s:
                        continue
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    for path in (name.with_suffix(""), Path(f"{name.with_suffix('')}.part"), name):
                        path.unlink(missing_ok=True)
                    deleted += 1
                finally:
                    os.close(lock)
        return deleted


def _delete_abandoned(workspace: Path, unused_s: float) -> bool:
    """Deletes a workspace that no process has locked: in its first moments, none has."""
    with contextlib.suppress(FileNotFoundError, BlockingIOError):
        lock = os.open(workspace, os.O_RDONLY | os.O_DIRECTORY)
        try:
            if os.fstat(lock).st_mtime <= time.time() - unused_s:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(workspace, ignore_errors=True)
                return True
        finally:
            os.close(lock)
    return False


def _is_complete(path: Path, size: int) -> bool:
    return path.exists() and path.stat().st_size == size


def _try_lock(path: Path) -> int | None:
    """Returns the lock file of a copy, locked: shared if there is a copy, exclusively if one is to be made. None
    while another process has it."""
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    exists = path.exists()
    try:
        fcntl.flock(lock, (fcntl.LOCK_SH if exists else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        # Before the lock was ours somebody may have deleted its file, or made or deleted the copy.
        if path.exists() == exists and os.fstat(lock).st_ino == os.stat(f"{path}.lock").st_ino:
            os.utime(lock)
            return lock
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(lock)
    return None
