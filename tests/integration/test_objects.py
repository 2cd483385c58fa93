"""Object storage keeps its promises, in a folder and behind the S3 API (S3Proxy)."""

import asyncio
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from cluster.objects import PART_BYTES, NoSuchObject, ObjectStorage, ObjectStorageUnavailable, open_objects
from cluster.settings import Settings
from tests.support.s3_server import S3Server, s3_server

ROUNDS, WRITERS = 100, 16


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@dataclass(frozen=True, slots=True)
class Backend:
    """Object storage that is empty, and the folder where its objects are."""

    settings: Settings
    objects: ObjectStorage
    folder: Path

    def files(self) -> list[str]:
        """Returns the names of all files, those included that no key names."""
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())


def _in_folder(folder: Path) -> Backend:
    settings = Settings(objects_url=str(folder))
    return Backend(settings, open_objects(settings, "entativa"), folder / "entativa")


def _on_s3(server: S3Server) -> Backend:
    bucket = f"media-{secrets.token_hex(6)}"
    server.make_bucket(bucket)
    settings = Settings(
        objects_url=f"s3://{bucket}/some/prefix",
        objects_s3_endpoint=server.endpoint,
        objects_s3_access_key_id=server.access_key_id,
        objects_s3_secret_access_key=SecretStr(server.secret_access_key),
    )
    return Backend(settings, open_objects(settings, "entativa"), server.folder / bucket)


@pytest.fixture(params=["folder", "s3"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    return _in_folder(tmp_path) if request.param == "folder" else _on_s3(request.getfixturevalue("s3"))


async def _read(objects: ObjectStorage, key: str, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([chunk async for chunk in objects.read(key, start, end)])


async def test_objects_are_read_whole_and_in_ranges(backend: Backend) -> None:
    data = secrets.token_bytes(1_000_003)
    await backend.objects.put("a/b", data)
    assert await _read(backend.objects, "a/b") == data
    for start, end in [(0, 1), (1, 3), (999_999, None), (1_000_002, None), (300_000, 900_000), (0, 1_000_003)]:
        assert await _read(backend.objects, "a/b", start, end) == data[start:end]


async def test_an_object_is_replaced(backend: Backend) -> None:
    await backend.objects.put("key", b"first")
    await backend.objects.put("key", b"second")
    assert await _read(backend.objects, "key") == b"second"


async def test_an_object_that_does_not_exist_is_an_error(backend: Backend) -> None:
    with pytest.raises(NoSuchObject):
        await _read(backend.objects, "nothing")


async def test_deleted_objects_are_gone_and_deleting_again_is_no_error(backend: Backend) -> None:
    keys = [f"part/{number}" for number in range(20)]
    for key in keys:
        await backend.objects.put(key, b"x")
    await backend.objects.delete([*keys[:10], "never existed"])
    await backend.objects.delete(keys[:11])
    await backend.objects.delete([])
    for key in keys[:11]:
        with pytest.raises(NoSuchObject):
            await _read(backend.objects, key)
    assert await _read(backend.objects, keys[11]) == b"x"


async def test_of_writers_of_one_new_key_one_wins(backend: Backend) -> None:
    for round in range(ROUNDS):
        texts = [f"{round} {writer}".encode() for writer in range(WRITERS)]
        won = await asyncio.gather(*(backend.objects.put_new(f"race/{round}", text) for text in texts))
        assert won.count(True) == 1
        assert await _read(backend.objects, f"race/{round}") == texts[won.index(True)]
        assert not await backend.objects.put_new(f"race/{round}", b"too late")
    assert len(backend.files()) == ROUNDS


async def _chunks(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


@pytest.mark.parametrize("length", [1, PART_BYTES - 1, PART_BYTES, 2 * PART_BYTES + 5])
async def test_a_stream_is_written_in_parts(backend: Backend, length: int) -> None:
    data = secrets.token_bytes(length)
    await backend.objects.put_stream("stream", _chunks(data, 700_001))
    assert await _read(backend.objects, "stream") == data
    assert len(backend.files()) == 1


class Broken(Exception):
    pass


async def test_a_stream_that_breaks_leaves_nothing(backend: Backend) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield bytes(PART_BYTES + 10)
        yield bytes(PART_BYTES)
        raise Broken

    with pytest.raises(Broken):
        await backend.objects.put_stream("broken", broken())
    with pytest.raises(NoSuchObject):
        await _read(backend.objects, "broken")
    assert backend.files() == []


_WRITER = """
import asyncio, sys
from cluster.objects import PART_BYTES, open_objects
from cluster.settings import Settings

async def chunks():
    yield bytes(2 * PART_BYTES)
    await asyncio.Event().wait()

asyncio.run(open_objects(Settings(objects_url=sys.argv[1]), "entativa").put_stream("a/key", chunks()))
"""


async def test_what_a_killed_process_left_in_a_folder_is_deleted_with_its_key(tmp_path: Path) -> None:
    backend = _in_folder(tmp_path)
    writer = await asyncio.create_subprocess_exec(sys.executable, "-c", _WRITER, str(tmp_path))
    try:
        async with asyncio.timeout(60):
            while not backend.files():
                await asyncio.sleep(0.05)
    finally:
        writer.kill()
        await writer.wait()
    with pytest.raises(NoSuchObject):
        await _read(backend.objects, "a/key")
    await backend.objects.put("a/key2", b"x")
    await backend.objects.delete(["a/key"])
    assert backend.files() == ["a/key2"]


def _left_behind(backend: Backend, key: str, numbers: Iterable[int], *, hours: int) -> None:
    """What killed writers of a key leave, so long ago."""
    for number in numbers:
        path = backend.folder / f"{key}#{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
        at = time.time() - hours * 3600
        os.utime(path, (at, at))


async def test_however_many_writers_of_a_key_were_killed_it_is_deleted_with_all_they_left(tmp_path: Path) -> None:
    backend = _in_folder(tmp_path)
    _left_behind(backend, "a/key", [*range(1, 30), *range(40, 60)], hours=0)
    await backend.objects.put("a/key", b"x")
    await backend.objects.put("a/other", b"x")
    await backend.objects.delete(["a/key", "a/never"])
    assert backend.files() == ["a/other"]


async def test_an_object_that_is_written_in_a_folder_replaces_what_was_left_half_written(tmp_path: Path) -> None:
    backend = _in_folder(tmp_path)
    keys = ["a/put", "a/new", "a/stream"]
    for key in keys:
        _left_behind(backend, key, [1, 3], hours=48)
        _left_behind(backend, key, [2], hours=1)
    await backend.objects.put("a/put", b"x")
    assert await backend.objects.put_new("a/new", b"x")
    await backend.objects.put_stream("a/stream", _chunks(b"x", 1))
    for key in keys:
        assert await _read(backend.objects, key) == b"x"
    assert backend.files() == sorted([*keys, *(f"{key}#2" for key in keys)]), "somebody may be writing the second one"


async def test_what_cannot_be_tidied_fails_no_write(tmp_path: Path) -> None:
    backend = _in_folder(tmp_path)
    (backend.folder / "a" / "key#1").mkdir(parents=True)
    os.utime(backend.folder / "a" / "key#1", (0, 0))
    await backend.objects.put("a/key", b"x")
    assert await _read(backend.objects, "a/key") == b"x"
    with pytest.raises(ObjectStorageUnavailable):
        await backend.objects.delete(["a/key"])


async def test_brands_do_not_see_each_other_s_objects(backend: Backend) -> None:
    await backend.objects.put("key", b"of entativa")
    other = open_objects(backend.settings, "vignette")
    with pytest.raises(NoSuchObject):
        await _read(other, "key")


@pytest.mark.parametrize(
    "wrong", [{"objects_s3_secret_access_key": SecretStr("guessed")}, {"objects_s3_access_key_id": "somebody"}]
)
async def test_s3_with_wrong_credentials_is_an_outage(s3: S3Server, wrong: dict[str, object]) -> None:
    backend = _on_s3(s3)
    await backend.objects.put("key", b"x")
    objects = open_objects(backend.settings.model_copy(update=wrong), "entativa")
    with pytest.raises(ObjectStorageUnavailable):
        await _read(objects, "key")
    with pytest.raises(ObjectStorageUnavailable):
        await objects.put_new("other", b"x")
    with pytest.raises(ObjectStorageUnavailable):
        await objects.delete(["key"])
    assert await _read(backend.objects, "key") == b"x"


async def test_a_bucket_that_does_not_exist_is_an_outage(s3: S3Server) -> None:
    settings = _on_s3(s3).settings.model_copy(update={"objects_url": "s3://nobody-made-this"})
    objects = open_objects(settings, "entativa")
    with pytest.raises(ObjectStorageUnavailable):
        await objects.put("key", b"x")
    with pytest.raises(ObjectStorageUnavailable):
        await _read(objects, "key")


async def test_a_folder_that_cannot_be_written_is_an_outage(tmp_path: Path) -> None:
    backend = _in_folder(tmp_path)
    (tmp_path / "entativa" / "key").mkdir(parents=True)
    (tmp_path / "entativa" / "key" / "below").touch()
    with pytest.raises(ObjectStorageUnavailable):
        await backend.objects.put("key", b"a folder has this name")


@pytest.mark.parametrize("url", ["", "s3://", "https://bucket/x"])
def test_an_address_that_names_no_storage_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="ENTATIVA_OBJECTS_URL"):
        open_objects(Settings(objects_url=url), "entativa")
