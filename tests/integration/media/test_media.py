"""What becomes of uploads: content, ranges, objects that several media share, and what is deleted when."""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from cluster.objects import ObjectStorage, ObjectStorageUnavailable
from cluster.postgres import UnitOfWork
from features.media import store
from features.media.erasure import erase
from features.media.events import Uploaded
from features.media.image_renderer import ImageRenderer
from features.media.processing import ObjectLost, Processing
from features.media.service import MediaService
from tests.support.environment import Environment
from tests.support.files import file_of
from tests.support.member import Member
from tests.support.uploads import append, begin, offset_of, originals, stored, sweep, upload

JPEG = file_of(100_000)
KEY = f"objects/{hashlib.sha256(JPEG).hexdigest()}"


@pytest.mark.parametrize(
    ("range_", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=99990-", 99_990, 100_000),
        ("bytes=-5", 99_995, 100_000),
        ("bytes=50000-999999999", 50_000, 100_000),
        ("bytes=-999999", 0, 100_000),
    ],
)
async def test_a_range_is_read(entativa: Environment, range_: str, start: int, end: int) -> None:
    ada = await entativa.member("ada")
    path = f"/media/{await upload(entativa, ada, JPEG)}/content"
    answer = await ada.get(path, headers={"Range": range_})
    assert (answer.status_code, answer.content) == (206, JPEG[start:end])
    assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/100000"


async def test_content_has_a_tag_and_is_stored_by_no_cache(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    path = f"/media/{await upload(entativa, ada, JPEG)}/content"
    whole = await ada.get(path)
    tag = whole.headers["ETag"]
    assert (whole.headers["Cache-Control"], whole.headers["Accept-Ranges"]) == ("no-store", "bytes")
    assert (await ada.get(path, headers={"If-None-Match": tag})).status_code == 304
    assert (await ada.get(path, headers={"Range": "bytes=0-9", "If-Range": tag})).status_code == 206
    assert (await ada.get(path, headers={"Range": "bytes=0-9", "If-Range": '"other"'})).content == JPEG
    for ignored in ("bytes=0-1,5-6", "lines=1-2", "bytes=9-3", "bytes=-", "nonsense"):
        assert (await ada.get(path, headers={"Range": ignored})).status_code == 200
    beyond = await ada.get(path, headers={"Range": "bytes=100000-"})
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, "bytes */100000")
    head = await ada.request("HEAD", path)
    assert (head.headers["Content-Length"], head.content) == ("100000", b"")


async def test_a_page_of_media_is_one_statement(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    uploaded = []
    for seed in range(5):
        uploaded.append(await upload(entativa, ada, file_of(1000, seed=seed)))
        entativa.clock.advance(timedelta(seconds=1))
    first = await ada.get("/media?limit=3")
    assert entativa.statements(first) == 1
    rest = await ada.get(f"/media?limit=3&cursor={first.json()['next_cursor']}")
    assert [item["id"] for page in (first, rest) for item in page.json()["items"]] == uploaded[::-1]


async def test_equal_content_is_stored_once_and_kept_while_anybody_has_it(entativa: Environment) -> None:
    ada, grace = await entativa.member("ada"), await entativa.member("grace")
    of_ada, of_grace = await upload(entativa, ada, JPEG), await upload(entativa, grace, JPEG)
    again = await upload(entativa, ada, JPEG)
    await sweep(entativa)
    assert originals(entativa) == [KEY]
    for member, media_id in ((ada, of_ada), (grace, of_grace)):
        assert (await member.delete(f"/media/{media_id}")).status_code == 204
        assert (await member.get(f"/media/{media_id}/content")).status_code == 404
    entativa.clock.advance(timedelta(hours=2))
    await sweep(entativa)
    ada = await entativa.log_in("ada")
    assert (await ada.get(f"/media/{again}/content")).content == JPEG
    await ada.delete(f"/media/{again}")
    await sweep(entativa)
    assert originals(entativa) == [KEY]  # for an hour
    entativa.clock.advance(timedelta(hours=1))
    await sweep(entativa)
    assert stored(entativa) == []


async def test_content_that_is_uploaded_again_within_the_grace_is_kept(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    await ada.delete(f"/media/{await upload(entativa, ada, JPEG)}")
    entativa.clock.advance(timedelta(minutes=59))
    ada = await entativa.log_in("ada")
    media_id = await upload(entativa, ada, JPEG)
    entativa.clock.advance(timedelta(days=2))
    await sweep(entativa)
    ada = await entativa.log_in("ada")
    assert (await ada.get(f"/media/{media_id}/content")).content == JPEG


async def test_a_medium_that_is_being_processed_can_be_deleted(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    path = await begin(ada, len(JPEG))
    await append(ada, path, 0, JPEG)
    assert (await ada.delete(path.replace("uploads", "media"))).status_code == 204
    await entativa.drain()
    await sweep(entativa)
    assert stored(entativa) == []


class Failing(ObjectStorage):
    """Storage that fails with its next writes."""

    failures = 0

    async def put(self, key: str, data: bytes | bytearray) -> None:
        if self.failures:
            self.failures -= 1
            raise ObjectStorageUnavailable("an outage of the tests")
        await super().put(key, data)


def _failing(environment: Environment) -> Failing:
    service = environment.platform.service(MediaService)
    objects = Failing(service.objects._open_store)
    uploads = replace(service.uploads, objects=objects)
    environment.platform.services[MediaService] = replace(service, objects=objects, uploads=uploads)
    return objects


async def test_an_outage_of_storage_is_a_503_and_the_upload_goes_on_after_it(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    objects = _failing(entativa)
    path = await begin(ada, len(JPEG))
    objects.failures = 1
    answer = await append(ada, path, 0, JPEG)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert await offset_of(ada, path) == 0
    assert (await append(ada, path, 0, JPEG)).status_code == 204
    await entativa.drain()
    entativa.clock.advance(timedelta(days=2))
    await sweep(entativa)
    assert originals(entativa) == [KEY]
    async with entativa.platform.database.unit_of_work(read_only=True) as uow:
        assert await uow.fetchval("select count(*) from media_garbage") == 0


async def _processed(environment: Environment, media_id: str, ada: Member) -> None:
    service = environment.platform.service(MediaService)
    processing = Processing(environment.brand.name, service, ImageRenderer(), environment.clock)
    async with environment.platform.database.unit_of_work() as uow:
        await processing._process(uow, Uploaded(UUID(media_id), UUID(ada.id)))
        await uow.commit()


class HalfDeleting(ObjectStorage):
    """Storage whose response to a deletion is lost."""

    async def delete(self, keys: Sequence[str]) -> None:
        await super().delete(keys)
        raise ObjectStorageUnavailable("an outage of the tests")


async def test_content_that_a_broken_sweep_deleted_is_stored_again(entativa: Environment) -> None:
    ada, grace = await entativa.member("ada"), await entativa.member("grace")
    await ada.delete(f"/media/{await upload(entativa, ada, JPEG)}")
    entativa.clock.advance(timedelta(hours=2))
    services, service = entativa.platform.services, entativa.platform.service(MediaService)
    services[MediaService] = replace(service, objects=HalfDeleting(service.objects._open_store))
    with pytest.raises(ObjectStorageUnavailable):
        await sweep(entativa)
    services[MediaService] = service
    assert stored(entativa) == []
    grace = await entativa.log_in("grace")
    path = f"/media/{await upload(entativa, grace, JPEG)}"
    await sweep(entativa)
    answer = await grace.get(f"{path}/content")
    assert answer.status_code == 200
    assert answer.content == JPEG
    files = (await grace.get(path)).json()
    for width in files["image"]["widths"]:
        file = files["address"]["path"].replace("original", f"{width}.jpg")
        assert (await entativa.anonymous.get(file.removeprefix("/v1"))).status_code == 200


async def test_content_that_is_not_in_storage_is_a_404(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    media_id = await upload(entativa, ada, JPEG)
    await entativa.platform.service(MediaService).objects.delete([KEY])
    answer = await ada.get(f"/media/{media_id}/content")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_such_media")


async def test_processing_that_broke_off_is_repeated(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    objects = _failing(entativa)
    path = await begin(ada, len(JPEG))
    await append(ada, path, 0, JPEG)
    media_id = path.removeprefix("/uploads/")
    objects.failures = 1
    with pytest.raises(ObjectStorageUnavailable):
        await _processed(entativa, media_id, ada)
    assert (await ada.get(f"/media/{media_id}")).json()["state"] == "processing"
    # Longer than the grace: what the first attempt announced is swept.
    entativa.clock.advance(timedelta(hours=30))
    await sweep(entativa)
    for _ in range(2):  # the second time there is nothing left to do
        await _processed(entativa, media_id, ada)
    ada = await entativa.log_in("ada")
    assert (await ada.get(f"/media/{media_id}/content")).content == JPEG
    await sweep(entativa)
    assert originals(entativa) == [KEY]


@pytest.mark.parametrize("broken", [False, True])
async def test_processing_notices_that_its_object_was_swept(
    entativa: Environment, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    ada = await entativa.member("ada")
    path = await begin(ada, len(JPEG))
    await append(ada, path, 0, JPEG)
    media_id = path.removeprefix("/uploads/")
    refer = store.refer_to_objects
    services, service = entativa.platform.services, entativa.platform.service(MediaService)
    if broken:
        services[MediaService] = replace(service, objects=HalfDeleting(service.objects._open_store))

    async def late(uow: UnitOfWork, digests: Sequence[bytes], now: datetime) -> bool:
        entativa.clock.advance(timedelta(hours=2))
        with suppress(ObjectStorageUnavailable):
            await sweep(entativa)
        services[MediaService] = service
        return await refer(uow, digests, entativa.clock())

    with monkeypatch.context() as patch:
        patch.setattr(store, "refer_to_objects", late)
        with pytest.raises(ObjectLost):
            await _processed(entativa, media_id, ada)
    await _processed(entativa, media_id, ada)
    ada = await entativa.log_in("ada")
    assert (await ada.get(f"/media/{media_id}/content")).content == JPEG


async def test_an_erased_account_leaves_nothing_in_storage(entativa: Environment) -> None:
    ada, grace = await entativa.member("ada"), await entativa.member("grace")
    png = file_of(5000, "image/png")
    await upload(entativa, ada, JPEG)
    await upload(entativa, ada, png, "image/png")
    shared = await upload(entativa, grace, JPEG)
    await append(ada, await begin(ada, len(JPEG)), 0, JPEG[:1000])
    processing = await begin(ada, len(png), "image/png")
    await append(ada, processing, 0, png)

    platform = entativa.platform
    await _erase_media(entativa, UUID(ada.id))
    await sweep(entativa)
    assert originals(entativa) == [KEY]
    assert (await grace.get(f"/media/{shared}/content")).content == JPEG
    async with platform.database.unit_of_work(read_only=True) as uow:
        assert await uow.fetchval("select count(*) from media_uploads where account_id = $1", UUID(ada.id)) == 0
        assert await uow.fetchval("select sum(refs) from media_objects") == 1 + 2


async def _erase_media(environment: Environment, account_id: UUID) -> None:
    more = True
    while more:
        async with environment.platform.database.unit_of_work() as uow:
            more = await erase(uow, account_id, 2, environment.clock())
            await uow.commit()
