"""Copies of uploaded files on a machine's disk."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from obstore.store import LocalStore

from cluster.objects import ObjectStorage, ObjectStorageUnavailable
from features.videos.source_files import SourceFiles

KEY, CONTENT = "objects/abc", b"x" * 1_000_000


class Counting(ObjectStorage):
    """Counts reads, and fails as often as it is told to."""

    reads = 0
    failures = 0

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        self.reads += 1
        async for chunk in super().read(key, start, end):
            await asyncio.sleep(0)
            if self.failures:
                self.failures -= 1
                raise ObjectStorageUnavailable("an outage of the tests")
            yield chunk


@pytest.fixture
async def objects(tmp_path: Path) -> Counting:
    storage = Counting(lambda: LocalStore(tmp_path / "objects", mkdir=True))
    await storage.put(KEY, CONTENT)
    return storage


async def test_jobs_share_one_copy(tmp_path: Path, objects: Counting) -> None:
    sources = SourceFiles(tmp_path / "copies", objects)

    async def use() -> None:
        async with sources.open(KEY, len(CONTENT)) as path:
            assert path.read_bytes() == CONTENT
            assert sources.sweep(unused_s=-1) == 0  # nobody deletes what a job reads
            await asyncio.sleep(0)

    await asyncio.gather(*(use() for _ in range(8)))
    await use()
    assert objects.reads == 1
    assert sources.sweep() == 0  # used a moment ago
    assert sources.sweep(unused_s=-1) == 1
    assert list((tmp_path / "copies").iterdir()) == []


async def test_what_a_killed_process_worked_on_is_swept(tmp_path: Path, objects: Counting) -> None:
    sources = SourceFiles(tmp_path / "copies", objects)
    async with sources.open(KEY, len(CONTENT)):
        with sources.workspace() as folder:
            (folder / "0").write_bytes(CONTENT)
            assert sources.sweep(unused_s=-1) == 0
        assert not folder.exists()
        abandoned = tmp_path / "copies" / "work-abc"
        (abandoned / "more").mkdir(parents=True)
        assert sources.sweep() == 0  # made a moment ago
        assert sources.sweep(unused_s=-1) == 1
        assert not abandoned.exists()


async def test_a_copy_that_failed_is_made_again(tmp_path: Path, objects: Counting) -> None:
    sources = SourceFiles(tmp_path / "copies", objects)
    objects.failures = 1
    with pytest.raises(ObjectStorageUnavailable):
        async with sources.open(KEY, len(CONTENT)):
            pass
    async with sources.open(KEY, len(CONTENT)) as path:
        assert path.read_bytes() == CONTENT


async def test_a_killed_process_leaves_no_lock(tmp_path: Path, objects: Counting) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    lock = folder / "objects-abc.lock"
    program = (
        f"import fcntl, os, signal; f = open({str(lock)!r}, 'w'); fcntl.flock(f, fcntl.LOCK_EX); print(flush=True)\n"
    )
    program += f"open({str(folder / 'objects-abc.part')!r}, 'w').write('half')\nsignal.pause()"
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    sources = SourceFiles(folder, objects)
    opening = asyncio.create_task(_content(sources))
    await asyncio.sleep(0.2)
    assert not opening.done()
    process.kill()
    process.communicate()
    assert await asyncio.wait_for(opening, 60) == CONTENT


async def _content(sources: SourceFiles) -> bytes:
    async with sources.open(KEY, len(CONTENT)) as path:
        return path.read_bytes()
