"""Resumable uploads by tus 1.0: what a client can do, and what is left of it in storage."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from starlette.requests import ClientDisconnect

from cluster.objects import ObjectStorageUnavailable
from cluster.postgres import UnitOfWork
from features.media import upload_store
from features.media.checksum import Checksum
from features.media.machine import PART_BYTES, SMALL_PART_BYTES
from features.media.policy import MediaPolicy
from features.media.service import MediaService
from features.media.uploads import UploadService
from tests.support.environment import Environment
from tests.support.files import file_of
from tests.support.uploads import (
    BODY_TYPE,
    TUS,
    append,
    begin,
    create,
    metadata,
    offset_of,
    originals,
    path_of,
    stored,
    sweep,
    upload,
)

JPEG = file_of(100_000)


def _checksum(algorithm: str, data: bytes) -> str:
    return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, data).digest()).decode()}"


async def test_the_server_says_what_it_can_do(entativa: Environment) -> None:
    answer = await entativa.anonymous.request("OPTIONS", "/uploads")
    assert answer.status_code == 204
    assert answer.headers["Tus-Version"] == "1.0.0"
    assert set(answer.headers["Tus-Extension"].split(",")) == {
        "creation",
        "creation-with-upload",
        "expiration",
        "checksum",
        "termination",
        "concatenation",
    }
    assert answer.headers["Tus-Max-Size"] == str(MediaPolicy().max_video_bytes)
    assert answer.headers["Tus-Checksum-Algorithm"] == "sha256,sha1"


async def test_an_upload_in_pieces_becomes_a_medium(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    data = file_of(2 * PART_BYTES + 1_000_001, "video/mp4")
    path = await begin(ada, len(data), "video/mp4")
    assert await offset_of(ada, path) == 0
    position = 0
    for size in (64, 1_000_000, PART_BYTES + 5, len(data)):
        piece = data[position : position + size]
        answer = await append(ada, path, position, piece)
        position += len(piece)
        assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, str(position))
        assert await offset_of(ada, path) == position

    media = f"/media/{path.removeprefix('/uploads/')}"
    assert (await ada.get(media)).json()["state"] == "processing"
    assert (await ada.get(f"{media}/content")).json()["code"] == "still_processing"
    await entativa.drain()
    found = (await ada.get(media)).json()
    assert (found["state"], found["type"], found["size"]) == ("ready", "video/mp4", len(data))
    content = await ada.get(f"{media}/content")
    assert content.content == data
    assert content.headers["content-type"] == "video/mp4"
    await sweep(entativa)
    assert originals(entativa) == [f"objects/{hashlib.sha256(data).hexdigest()}"]
    assert entativa.platform.service(MediaService).uploads.buffered.size == 0


async def test_head_returns_what_the_client_announced(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    path = await begin(ada, 1000)
    answer = await ada.request("HEAD", path, headers=TUS)
    assert answer.headers["Upload-Length"] == "1000"
    assert answer.headers["Upload-Metadata"] == metadata(filetype="image/jpeg", filename="holiday.jpg")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Tus-Resumable"] == "1.0.0"
    assert answer.headers["Upload-Expires"].endswith("GMT")


async def test_an_upload_begins_with_its_first_bytes(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    headers = {**TUS, "Upload-Length": str(len(JPEG)), "Upload-Metadata": metadata(filetype="image/jpeg")}
    answer = await ada.post("/uploads", headers={**headers, "Content-Type": BODY_TYPE}, content=JPEG[:500])
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, "500")
    assert (await append(ada, path_of(answer), 500, JPEG[500:])).status_code == 204
    await entativa.drain()
    media_id = path_of(answer).removeprefix("/uploads/")
    assert (await ada.get(f"/media/{media_id}/content")).content == JPEG


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
async def test_a_checksum_decides_whether_bytes_are_kept(entativa: Environment, algorithm: str) -> None:
    ada = await entativa.member("ada")
    data = file_of(PART_BYTES + 100_000, "video/mp4")
    path = await begin(ada, len(data), "video/mp4")
    wrong = await append(ada, path, 0, data, Upload_Checksum=_checksum(algorithm, b"something else"))
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (460, "Upload-Checksum")
    assert await offset_of(ada, path) == 0
    await sweep(entativa)
    assert stored(entativa) == []
    right = await append(ada, path, 0, data, Upload_Checksum=_checksum(algorithm, data))
    assert (right.status_code, right.headers["Upload-Offset"]) == (204, str(len(data)))
    await entativa.drain()
    assert (await ada.get(f"/media/{path.removeprefix('/uploads/')}/content")).content == data


async def test_an_upload_can_be_terminated(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    path = await begin(ada, len(JPEG))
    await append(ada, path, 0, JPEG[:50_000])
    assert len(originals(entativa)) == 1
    assert (await ada.delete(path, headers=TUS)).status_code == 204
    assert (await append(ada, path, 50_000, JPEG[50_000:])).status_code == 404
    assert (await ada.request("HEAD", path, headers=TUS)).status_code == 404
    await sweep(entativa)
    assert stored(entativa) == []


async def test_a_complete_upload_is_deleted_as_a_medium(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    media_id = await upload(entativa, ada, JPEG)
    answer = await ada.delete(f"/uploads/{media_id}", headers=TUS)
    assert (answer.status_code, answer.json()["code"]) == (409, "upload_complete")
    assert (await ada.get(f"/media/{media_id}/content")).content == JPEG


async def test_an_upload_expires_a_day_after_its_last_bytes(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    path = await begin(ada, len(JPEG))
    entativa.clock.advance(timedelta(hours=23))
    ada = await entativa.log_in("ada")
    assert (await append(ada, path, 0, JPEG[:50_000])).status_code == 204
    entativa.clock.advance(timedelta(hours=23))
    ada = await entativa.log_in("ada")
    await sweep(entativa)
    assert await offset_of(ada, path) == 50_000
    entativa.clock.advance(timedelta(hours=2))
    ada = await entativa.log_in("ada")
    assert (await append(ada, path, 50_000, JPEG[50_000:])).json()["code"] == "no_such_upload"
    await sweep(entativa)
    assert stored(entativa) == []


async def _partial(entativa: Environment, member: Any, data: bytes) -> str:
    path = await begin(member, len(data), Upload_Concat="partial")
    assert (await append(member, path, 0, data)).status_code == 204
    return path


async def test_partial_uploads_are_concatenated(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    pieces = [JPEG[:30], JPEG[30:60_000], JPEG[60_000:]]
    paths = [await _partial(entativa, ada, piece) for piece in pieces]
    concat = f"final;/v1{paths[0]} http://test/v1{paths[1]} {paths[2]}"
    answer = await create(ada, None, Upload_Concat=concat)
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, str(len(JPEG)))
    path = path_of(answer)
    state = await ada.request("HEAD", path, headers=TUS)
    assert (state.headers["Upload-Concat"], state.headers["Upload-Length"]) == (concat, str(len(JPEG)))
    assert (await append(ada, path, len(JPEG), b"more")).json()["code"] == "final_upload"
    await entativa.drain()
    assert (await ada.get(f"/media/{path.removeprefix('/uploads/')}/content")).content == JPEG
    assert (await ada.request("HEAD", paths[0], headers=TUS)).status_code == 404
    await sweep(entativa)
    assert len(originals(entativa)) == 1


async def test_only_complete_partial_uploads_of_one_s_own_are_concatenated(entativa: Environment) -> None:
    ada, grace = await entativa.member("ada"), await entativa.member("grace")
    complete = await _partial(entativa, ada, JPEG)
    unfinished = await begin(ada, 1000, Upload_Concat="partial")
    whole = await begin(ada, 1000)
    of_grace = await _partial(entativa, grace, JPEG)
    text = await _partial(entativa, ada, b"no picture at all, " * 10)
    for concat, code in [
        (f"final;{complete} {unfinished}", "bad_concatenation"),
        (f"final;{complete} {whole}", "bad_concatenation"),
        (f"final;{complete} {of_grace}", "bad_concatenation"),
        (f"final;{complete} {complete}", "bad_concatenation"),
        ("final;", "bad_concatenation"),
        ("final;nonsense", "bad_concatenation"),
        ("some;thing", "bad_concatenation"),
        (f"final;{text} {complete}", "wrong_content"),
    ]:
        answer = await create(ada, None, Upload_Concat=concat)
        assert (answer.status_code, answer.json()["code"]) == (422, code), concat
    assert (await create(ada, None, Upload_Concat=f"final;{complete}")).status_code == 201


@pytest.mark.parametrize(
    ("changed", "status", "code", "field"),
    [
        ({"Tus-Resumable": "0.2.2"}, 412, "wrong_tus_version", "Tus-Resumable"),
        ({"Upload-Length": "0"}, 422, "empty_upload", "Upload-Length"),
        ({"Upload-Length": "-5"}, 422, "empty_upload", "Upload-Length"),
        ({"Upload-Length": "many"}, 422, "invalid_input", "upload-length"),
        ({"Upload-Length": "10000000000"}, 413, "upload_too_large", "Upload-Length"),
        ({"Upload-Length": str(31 * 1024 * 1024)}, 413, "upload_too_large", "Upload-Length"),
        ({"Upload-Length": "9" * 30}, 422, "invalid_input", "upload-length"),
        ({"Upload-Metadata": ""}, 422, "bad_file_type", "Upload-Metadata.filetype"),
        ({"Upload-Metadata": metadata(filetype="text/html")}, 422, "bad_file_type", "Upload-Metadata.filetype"),
        ({"Upload-Metadata": "filetype image/jpeg"}, 422, "bad_upload_metadata", "Upload-Metadata"),
        ({"Upload-Metadata": "a YQ==,a YQ=="}, 422, "bad_upload_metadata", "Upload-Metadata"),
        ({"Upload-Checksum": "crc32 AAAA"}, 400, "bad_upload_checksum", "Upload-Checksum"),
        ({"Upload-Checksum": "sha1 AAAA"}, 400, "bad_upload_checksum", "Upload-Checksum"),
        ({"Upload-Checksum": "sha1"}, 400, "bad_upload_checksum", "Upload-Checksum"),
    ],
)
async def test_a_wrong_header_is_named(
    entativa: Environment, changed: dict[str, str], status: int, code: str, field: str
) -> None:
    ada = await entativa.member("ada")
    headers = {**TUS, "Upload-Length": "1000", "Upload-Metadata": metadata(filetype="image/jpeg"), **changed}
    answer = await ada.post("/uploads", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["errors"][0]["field"] == field
    assert answer.headers["Tus-Version"] == "1.0.0"
    async with entativa.platform.database.unit_of_work(read_only=True) as uow:
        assert await uow.fetchval("select count(*) from media_uploads") == 0
    assert stored(entativa) == []


async def test_a_length_is_needed(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    answer = await create(ada, None)
    assert (answer.status_code, answer.json()["code"]) == (422, "length_required")


async def test_bytes_that_do_not_fit_are_refused_and_not_stored(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    path = await begin(ada, 1000)
    small = await append(ada, path, 0, JPEG[:10])
    assert small.json()["code"] == "first_part_too_small"
    other = await append(ada, path, 0, file_of(500, "image/png"))
    assert (other.status_code, other.json()["code"]) == (422, "wrong_content")
    announced = await append(ada, path, 0, JPEG[:1001])
    assert (announced.status_code, announced.json()["code"]) == (422, "beyond_length")

    async def lying() -> AsyncIterator[bytes]:  # chunked, so that no length is announced
        yield JPEG[:900]
        yield JPEG[900:2000]

    assert (await append(ada, path, 0, lying())).json()["code"] == "beyond_length"
    untyped = await append(ada, path, 0, JPEG[:1000], Content_Type="application/octet-stream")
    assert (untyped.status_code, untyped.json()["code"]) == (415, "not_an_upload_body")
    skipped = await append(ada, path, 5, JPEG[:100])
    assert (skipped.status_code, skipped.json()["code"]) == (409, "offset_mismatch")
    assert await offset_of(ada, path) == 0
    assert stored(entativa) == []


async def test_a_wrong_beginning_leaves_no_upload(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    headers = {**TUS, "Upload-Length": "1000", "Upload-Metadata": metadata(filetype="image/jpeg")}
    answer = await ada.post("/uploads", headers={**headers, "Content-Type": BODY_TYPE}, content=b"x" * 1000)
    assert answer.json()["code"] == "wrong_content"
    async with entativa.platform.database.unit_of_work(read_only=True) as uow:
        assert await uow.fetchval("select count(*) from media_uploads") == 0


@pytest.mark.parametrize("error", [asyncio.CancelledError, ClientDisconnect, ObjectStorageUnavailable])
async def test_a_creation_that_is_cut_leaves_no_upload(entativa: Environment, error: type[BaseException]) -> None:
    """Its client has not learned the address, and begins anew."""
    ada = await entativa.member("ada")
    headers = {**TUS, "Upload-Length": "100000", "Upload-Metadata": metadata(filetype="image/jpeg")}

    async def cut() -> AsyncIterator[bytes]:
        yield JPEG[:50_000]
        raise error

    with suppress(asyncio.CancelledError):
        answer = await ada.post("/uploads", headers={**headers, "Content-Type": BODY_TYPE}, content=cut())
        assert not answer.is_success
    async with entativa.platform.database.unit_of_work(read_only=True) as uow:
        assert await uow.fetchval("select count(*) from media_uploads") == 0
    entativa.clock.advance(timedelta(days=1))  # an outage leaves parts that are listed to be deleted
    await sweep(entativa)
    assert stored(entativa) == []


async def test_of_racing_requests_one_succeeds(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    for attempt in range(5):
        path = await begin(ada, len(JPEG))
        answers = await asyncio.gather(*(append(ada, path, 0, file_of(len(JPEG), seed=seed)) for seed in range(8)))
        statuses = [answer.status_code for answer in answers]
        assert sorted(statuses) == [204, *[409] * 7], attempt
        await entativa.drain()
        content = await ada.get(f"/media/{path.removeprefix('/uploads/')}/content")
        assert content.content == file_of(len(JPEG), seed=statuses.index(204))
    await sweep(entativa)
    assert all(key.startswith("objects/") for key in stored(entativa))


async def test_a_newer_request_fences_a_stalled_one(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    path = await begin(ada, len(JPEG))
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def stalling() -> AsyncIterator[bytes]:
        yield JPEG[:50_000]
        reached.set()
        await go_on.wait()
        yield JPEG[50_000:]

    stalled = asyncio.create_task(append(ada, path, 0, stalling()))
    await reached.wait()
    assert await offset_of(ada, path) == 0
    newer = await append(ada, path, 0, JPEG[:70_000])
    assert newer.status_code == 204
    go_on.set()
    answer = await stalled
    assert (answer.status_code, answer.json()["code"]) == (409, "upload_fenced")
    assert (await append(ada, path, 70_000, JPEG[70_000:])).status_code == 204
    await entativa.drain()
    assert (await ada.get(f"/media/{path.removeprefix('/uploads/')}/content")).content == JPEG
    await sweep(entativa)
    assert len(originals(entativa)) == 1


async def test_what_had_arrived_of_a_stalled_request_is_kept(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    hasty = _service(entativa, stall_timeout=timedelta(milliseconds=200))
    service = replace(entativa.platform.service(MediaService), uploads=hasty)
    entativa.platform.services[MediaService] = service
    path = await begin(ada, len(JPEG))

    async def stalling() -> AsyncIterator[bytes]:
        yield JPEG[:50_000]
        await asyncio.Event().wait()

    answer = await append(ada, path, 0, stalling())
    assert (answer.status_code, answer.json()["code"]) == (408, "upload_stalled")
    assert await offset_of(ada, path) == 50_000


async def test_an_account_has_limits(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    service = entativa.platform.service(MediaService)
    policy = replace(service.policy, max_open_uploads=2, max_bytes_per_account=5000, max_parts=2)
    uploads = replace(service.uploads, policy=policy)
    entativa.platform.services[MediaService] = replace(service, policy=policy, uploads=uploads)
    await upload(entativa, ada, JPEG[:4] + bytes(4496))  # no image: nothing of it is stored
    path = await begin(ada, 1000)
    assert (await create(ada, 4001)).json()["code"] == "storage_full"
    await begin(ada, 1000)
    assert (await create(ada, 1000)).json()["code"] == "too_many_open_uploads"
    for offset in (0, 100):
        assert (await append(ada, path, offset, JPEG[offset : offset + 100])).status_code == 204
    answer = await append(ada, path, 200, JPEG[200:300])
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_parts")


async def test_nobody_else_reaches_an_upload_or_its_medium(entativa: Environment) -> None:
    ada, grace = await entativa.member("ada"), await entativa.member("grace")
    path = await begin(ada, len(JPEG))
    media_id = await upload(entativa, ada, JPEG)
    for stranger, status in ((grace, 404), (entativa.anonymous, 401)):
        assert (await stranger.request("HEAD", path, headers=TUS)).status_code == status
        assert (await append(stranger, path, 0, JPEG)).status_code == status
        assert (await stranger.delete(path, headers=TUS)).status_code == status
        for media in (f"/media/{media_id}", f"/media/{media_id}/content"):
            assert (await stranger.get(media)).status_code == status
        assert (await stranger.delete(f"/media/{media_id}")).status_code == status
    assert (await create(entativa.anonymous, 1000)).status_code == 401
    assert (await grace.get("/media")).json()["items"] == []
    assert [item["id"] for item in (await ada.get("/media")).json()["items"]] == [media_id]


async def test_a_client_that_can_only_post_overrides_the_method(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    path = await begin(ada, len(JPEG))
    headers = {**TUS, "Upload-Offset": "0", "Content-Type": BODY_TYPE, "X-HTTP-Method-Override": "PATCH"}
    assert (await ada.post(path, headers=headers, content=JPEG)).status_code == 204


def _service(environment: Environment, **policy: Any) -> UploadService:
    """The service of uploads, with another policy."""
    uploads = environment.platform.service(MediaService).uploads
    return replace(uploads, policy=replace(uploads.policy, **policy))


async def _endless(data: bytes, size: int, reached: asyncio.Event) -> AsyncIterator[bytes]:
    """Yields data in pieces of a size, and then nothing more."""
    for start in range(0, len(data), size):
        yield data[start : start + size]
    reached.set()
    await asyncio.Event().wait()


async def test_what_had_arrived_of_a_cancelled_request_is_kept(entativa: Environment) -> None:
    """Serve cancels requests that take too long, and those whose client is gone."""
    ada = await entativa.member("ada")
    path, reached = await begin(ada, len(JPEG)), asyncio.Event()
    body = _endless(JPEG[:60_000], 7_000, reached)
    upload_id = UUID(path.removeprefix("/uploads/"))
    request = asyncio.create_task(_service(entativa).append(UUID(ada.id), upload_id, 0, body))
    await reached.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert await offset_of(ada, path) == 60_000
    assert (await append(ada, path, 60_000, JPEG[60_000:])).status_code == 204


async def test_of_a_broken_request_with_a_checksum_nothing_is_kept(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    data = file_of(PART_BYTES + 100_000, "video/mp4")
    path, reached = await begin(ada, len(data), "video/mp4"), asyncio.Event()
    body = _endless(data, 1_000_000, reached)
    upload_id, checksum = UUID(path.removeprefix("/uploads/")), Checksum("sha1", hashlib.sha1(data).digest())
    request = asyncio.create_task(_service(entativa).append(UUID(ada.id), upload_id, 0, body, checksum=checksum))
    await reached.wait()
    assert len(originals(entativa)) == 1
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert await offset_of(ada, path) == 0
    await sweep(entativa)
    assert stored(entativa) == []


async def test_requests_together_keep_to_their_share_of_memory(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    budget, count, chunk = 4 * SMALL_PART_BYTES, 8, 100_000
    uploads = _service(entativa, buffer_bytes=budget)
    data = file_of(3_000_000, "video/mp4")
    highest = 0

    async def watched() -> AsyncIterator[bytes]:
        nonlocal highest
        for start in range(0, len(data), chunk):
            yield data[start : start + chunk]
            highest = max(highest, uploads.buffered.size)
            await asyncio.sleep(0)

    paths = [await begin(ada, len(data), "video/mp4") for _ in range(count)]
    await asyncio.gather(
        *(uploads.append(UUID(ada.id), UUID(path.removeprefix("/uploads/")), 0, watched()) for path in paths)
    )
    assert budget < highest <= budget + count * (SMALL_PART_BYTES + chunk)
    assert uploads.buffered.size == 0


async def test_bytes_whose_commit_was_cancelled_are_kept_if_it_was_made(
    entativa: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await entativa.member("ada")
    path = await begin(ada, len(JPEG))
    commit, advance, advanced = UnitOfWork.commit, upload_store.advance, set[UnitOfWork]()

    async def noticed(uow: UnitOfWork, *arguments: Any) -> Any:
        advanced.add(uow)
        return await advance(uow, *arguments)

    async def cancelled(uow: UnitOfWork) -> None:
        await commit(uow)
        if uow in advanced:
            raise asyncio.CancelledError

    async def body() -> AsyncIterator[bytes]:
        yield JPEG[:60_000]

    with monkeypatch.context() as patch:
        patch.setattr(upload_store, "advance", noticed)
        patch.setattr(UnitOfWork, "commit", cancelled)
        with pytest.raises(asyncio.CancelledError):
            await _service(entativa).append(UUID(ada.id), UUID(path.removeprefix("/uploads/")), 0, body())
    await sweep(entativa)
    assert await offset_of(ada, path) == 60_000
    assert (await append(ada, path, 60_000, JPEG[60_000:])).status_code == 204
    await entativa.drain()
    assert (await ada.get(f"/media/{path.removeprefix('/uploads/')}/content")).content == JPEG
