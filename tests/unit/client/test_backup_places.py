"""All places keep a backup alike: local servers speak what WebDAV and Google Drive do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from client.backup import BackupUnavailable, FileStore
from client.backup.file_store import HeaderChanged, SegmentMissing, name_of
from client.backup.folder_store import FolderStore
from client.backup.google_drive_store import GoogleDriveStore
from client.backup.google_sign_in import GoogleProgram, open_session
from client.backup.webdav_store import WebDavStore
from tests.support.cloud_servers import REFRESH_TOKEN, WEBDAV_PASSWORD, WEBDAV_USER, GoogleDrive, WebDav

PROGRAM = GoogleProgram("id", "secret", "https://accounts.test/auth", "https://drive.test/token")
OpenPlace = Callable[[], FileStore]


def google(drive: GoogleDrive, refresh_token: str = REFRESH_TOKEN) -> GoogleDriveStore:
    session = open_session(PROGRAM, refresh_token, httpx.ASGITransport(app=drive.app))
    return GoogleDriveStore(session, "https://drive.test")


def webdav(server: WebDav, password: str = WEBDAV_PASSWORD) -> WebDavStore:
    url = "https://dav.test/backup/"
    return WebDavStore(url, WEBDAV_USER, password, transport=httpx.ASGITransport(app=server.app))


@pytest.fixture(params=["folder", "webdav", "google_drive"])
def open_place(request: pytest.FixtureRequest, tmp_path: Path) -> OpenPlace:
    """Opens the place as another device does."""
    server, drive = WebDav(), GoogleDrive()
    places: dict[str, OpenPlace] = {
        "folder": lambda: FolderStore(tmp_path / "stick"),
        "webdav": lambda: webdav(server),
        "google_drive": lambda: google(drive),
    }
    return places[request.param]


async def put(store: FileStore, *segments: bytes) -> tuple[str, ...]:
    for data in segments:
        await store.put(name_of(data), data)
    return tuple(map(name_of, segments))


async def test_a_backup_is_kept_and_replaced(open_place: OpenPlace) -> None:
    store, other = open_place(), open_place()
    assert await store.header() is None
    await store.replace(b"first", (), None)
    first = await store.header()
    assert first is not None
    one, two, three = await put(store, b"one", b"\r\n--two", bytes(range(256)) * 1_000)
    await put(store, b"one")
    await store.replace(b"second", (one, two), first)
    found = await other.header()
    assert found is not None
    assert (found.content, found.segments) == (b"second", (one, two))
    assert [await other.get(name) for name in found.segments] == [b"one", b"\r\n--two"]

    await other.replace(b"third", (two, three), found)
    assert await store.get(three) == bytes(range(256)) * 1_000
    with pytest.raises(SegmentMissing):
        await store.get(one)
    await store.delete()
    await store.delete()
    assert await other.header() is None
    with pytest.raises(SegmentMissing):
        await other.get(two)


async def test_what_a_device_is_about_to_name_stays(open_place: OpenPlace) -> None:
    slow, quick = open_place(), open_place()
    await quick.replace(b"first", (), None)
    first = await quick.header()
    (one,) = await put(quick, b"one")
    (two,) = await put(slow, b"two")  # while the other one replaces the header, whose result it reads then
    await quick.replace(b"second", (one,), first)
    await slow.replace(b"third", (one, two), await slow.header())
    found = await quick.header()
    assert found is not None
    assert [await quick.get(name) for name in found.segments] == [b"one", b"two"]


async def test_google_drive_keeps_a_header_that_follows_at_once() -> None:
    drive = GoogleDrive()
    quick, slow = google(drive), google(drive)
    await slow.replace(b"first", (), None)
    first = await slow.header()
    listed, overtook = slow._list, list[bool]()

    async def late(query: str | None) -> list[dict[str, Any]]:
        if query is None and not overtook:
            overtook.append(True)
            await quick.replace(b"third", (), await quick.header())
        return await listed(query)

    slow._list = late  # type: ignore[method-assign]
    await slow.replace(b"second", (), first)
    found = await quick.header()
    assert found is not None
    assert found.content == b"third"


async def test_of_several_devices_one_replaces_the_header(open_place: OpenPlace) -> None:
    former = None
    for number in range(3):
        stores = [open_place() for _ in range(4)]
        contents = [f"{number} by {device}".encode() for device in range(4)]
        results = await asyncio.gather(
            *(store.replace(content, (), former) for store, content in zip(stores, contents, strict=True)),
            return_exceptions=True,
        )
        won = [content for content, result in zip(contents, results, strict=True) if result is None]
        assert len(won) == 1
        assert {type(result) for result in results if result is not None} == {HeaderChanged}
        former = await open_place().header()
        assert former is not None
        assert former.content == won[0]


async def test_a_place_that_refuses_or_is_away_says_so() -> None:
    def away(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("away")

    def weak(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"ETag": 'W/"1"'}, json={"header": "", "segments": []})

    stores: list[FileStore] = [
        webdav(WebDav(), "wrong"),
        WebDavStore("https://dav.test", "ada", "x", transport=httpx.MockTransport(away)),
        WebDavStore("https://dav.test", "ada", "x", transport=httpx.MockTransport(weak)),
        google(GoogleDrive(), "wrong"),
        GoogleDriveStore(open_session(PROGRAM, REFRESH_TOKEN, httpx.MockTransport(away)), "https://drive.test"),
    ]
    for store in stores:
        with pytest.raises(BackupUnavailable):
            await store.header()
