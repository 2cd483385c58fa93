"""Pictures that nobody may publish are held for moderators, and seen by nobody."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from cluster.events.worker import drain_events
from cluster.postgres import UnitOfWork
from deployments.platform import brand_consumers
from features.events import consumer
from features.media.events import Held
from features.media.hash_list import BadHashList, HashListUnavailable
from features.media.model import HASHED_SIDE, object_key
from features.media.pdq import PictureHash, hash_picture
from features.media.policy import MediaPolicy
from features.media.screening import Screening
from features.media.service import MediaService
from features.media.synced_hash_list import Provider, SyncedHashList
from features.videos.frame_hashes import read_hashes
from tests.integration.test_operator_commands import entativa_command
from tests.support.app_server import serve_app
from tests.support.clips import clip
from tests.support.environment import Environment
from tests.support.member import Member
from tests.support.pictures import waves
from tests.support.uploads import append, begin, stored, sweep

PICTURE, ANOTHER = (PIL.Image.fromarray(waves(seed, 800, 600)) for seed in (1, 2))
POLICY = MediaPolicy()


def hash_of(picture: PIL.Image.Image) -> PictureHash:
    return hash_picture(np.asarray(picture.convert("L").resize((HASHED_SIDE, HASHED_SIDE))))


def jpeg(picture: PIL.Image.Image) -> bytes:
    out = io.BytesIO()
    picture.convert("RGB").save(out, "jpeg", quality=70)
    return out.getvalue()


def synced(environment: Environment, url: str, *, max_bytes: int = 10_000) -> SyncedHashList:
    """Returns a list that is asked for at each use."""
    objects = environment.platform.service(MediaService).objects
    return SyncedHashList(environment.brand.name, Provider(url, "a key", max_bytes, timedelta(0)), objects)


async def _upload(
    environment: Environment, member: Member, data: bytes, hash_list: SyncedHashList, media_type: str = "image/jpeg"
) -> str:
    """Uploads a file, which is compared with a list. Returns the medium's id."""
    platform = environment.platform
    screening = Screening(environment.brand.name, POLICY, hash_list)
    media = replace(platform.service(MediaService), screening=screening)
    scope = replace(platform, services={**platform.services, MediaService: media})
    path = await begin(member, len(data), media_type)
    assert (await append(member, path, 0, data)).status_code == 204
    await drain_events(brand_consumers(scope), scope.database, environment.event_log)
    return path.removeprefix("/uploads/")


def _list_file(folder: Path, *hashes: PictureHash) -> str:
    path = folder / "hashes.txt"
    path.write_text("\n".join(each.value.hex() for each in hashes))
    return str(path)


async def _held(environment: Environment) -> list[tuple[str, str]]:
    """Returns the medium and the account of each event for moderators."""
    found: list[tuple[str, str]] = []

    async def note(_: UnitOfWork, event: Held) -> None:
        found.append((str(event.media_id), str(event.account_id)))

    await drain_events(
        [consumer("moderation", (Held,), note, start="oldest")], environment.platform.database, environment.event_log
    )
    return found


def _seen_by_moderators(environment: Environment, folder: Path, row: Mapping[str, Any], data: bytes) -> None:
    """A moderator lists what is held and sees what was uploaded. A look is noted; one that fails leaves nothing."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        settings = {
            "ENTATIVA_CLUSTER_SECRET": environment.settings.cluster_secret.get_secret_value(),
            "ENTATIVA_OBJECTS_URL": environment.settings.objects_url,
        }
        return entativa_command(environment, folder / "home", "evidence", *arguments, **settings)

    brand, media_id, file, log = "entativa", str(row["media_id"]), folder / "seen", folder / "home/logs/evidence.log"
    listed = run("list", brand)
    [line] = [json.loads(each) for each in listed.stdout.splitlines()]
    assert (line["media_id"], line["account_id"]) == (media_id, str(row["account_id"])), listed.stderr
    assert (line["sha256"], line["entry"]) == (sha256(data).hexdigest(), row["entry"].hex())
    assert not log.exists()
    saved = run("save", brand, media_id, str(file))
    assert saved.returncode == 0, saved.stderr
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (data, 0o600)
    assert media_id in log.read_text()
    again, unknown = run("save", brand, media_id, str(file)), run("save", brand, str(UUID(int=7)), str(folder / "none"))
    assert (again.returncode, unknown.returncode) == (1, 1)
    assert "File exists" in again.stderr
    assert "Nothing is held of this medium" in unknown.stderr
    assert len(log.read_text().splitlines()) == 1
    assert not (folder / "none").exists()


async def test_a_picture_on_the_list_is_held_and_seen_by_nobody(entativa: Environment, tmp_path: Path) -> None:
    ada = await entativa.member("ada")
    listed = synced(entativa, _list_file(tmp_path, hash_of(PICTURE)))
    allowed = await _upload(entativa, ada, jpeg(ANOTHER), listed)
    edited = PICTURE.resize((500, 380)).point(lambda value: int(value * 0.8))
    data = jpeg(edited)
    kept = set(stored(entativa))
    media_id = await _upload(entativa, ada, data, listed)

    assert (await ada.get(f"/media/{allowed}")).json()["state"] == "ready"
    medium = (await ada.get(f"/media/{media_id}")).json()
    assert (medium["state"], medium["failure"]) == ("failed", "not_allowed")
    assert (medium["address"], medium["image"]) == (None, None)
    content = await ada.get(f"/media/{media_id}/content")
    assert (content.status_code, content.json()["code"]) == (409, "media_failed")
    posted = await ada.post("/posts", json={"text": "x", "audience": "public", "media": [{"id": media_id}]})
    assert (posted.status_code, posted.json()["code"]) == (422, "unusable_media")

    [row] = await entativa.platform.database.pool.fetch("select * from media_evidence")
    assert (row["media_id"], row["account_id"], row["entry"]) == (
        UUID(media_id),
        UUID(ada.id),
        hash_of(PICTURE).value,
    )
    assert row["distance"] <= POLICY.hash_distance
    assert await _held(entativa) == [(media_id, ada.id)]
    _seen_by_moderators(entativa, tmp_path, dict(row), data)

    assert (await ada.delete(f"/media/{media_id}")).status_code == 204
    entativa.clock.advance(POLICY.garbage_grace * 2)
    await sweep(entativa)
    [evidence] = set(stored(entativa)) - kept
    assert evidence == object_key(sha256(data).digest())
    entativa.clock.advance(POLICY.evidence_lifetime)
    await sweep(entativa)
    assert evidence not in stored(entativa)
    assert await entativa.platform.database.pool.fetchval("select count(*) from media_evidence") == 0


async def test_a_mirrored_or_transparent_copy_is_held(entativa: Environment, tmp_path: Path) -> None:
    ada, listed = await entativa.member("ada"), synced(entativa, _list_file(tmp_path, hash_of(PICTURE)))
    white_on_nothing = PIL.Image.new("RGBA", PICTURE.size, "white")
    white_on_nothing.putalpha(PICTURE)  # seen on a dark background only
    out = io.BytesIO()
    white_on_nothing.save(out, "png")
    for data, media_type in ((jpeg(PIL.ImageOps.mirror(PICTURE)), "image/jpeg"), (out.getvalue(), "image/png")):
        media_id = await _upload(entativa, ada, data, listed, media_type)
        assert (await ada.get(f"/media/{media_id}")).json()["failure"] == "not_allowed", media_type


async def test_a_video_with_a_picture_on_the_list_is_never_published(entativa: Environment, tmp_path: Path) -> None:
    ada, data = await entativa.member("ada"), clip(seconds=3)
    unlisted = synced(entativa, _list_file(tmp_path, hash_of(PICTURE)))
    published = await _upload(entativa, ada, data, unlisted, "video/mp4")
    assert (await ada.get(f"/media/{published}/video")).json()["state"] == "ready"
    frames = await _stored_hashes(entativa, published)
    assert len(frames) == 2 * 8  # key frames, two seconds from each other, in all orientations
    listed = synced(entativa, _list_file(tmp_path, frames[8]))

    media_id = await _upload(entativa, ada, data, listed, "video/mp4")
    video = (await ada.get(f"/media/{media_id}/video")).json()
    assert (video["state"], video["problem"], video["stream"]) == ("failed", "not_allowed", None)
    assert (await ada.get(f"/media/{media_id}/content")).status_code == 409
    assert await entativa.platform.database.pool.fetchval("select media_id from media_evidence") == UUID(media_id)
    assert await _held(entativa) == [(media_id, ada.id)]


async def _stored_hashes(environment: Environment, media_id: str) -> tuple[PictureHash, ...]:
    """Returns the hashes of the key frames of a video of one chunk."""
    keys = await environment.platform.database.pool.fetch(
        "select key from video_objects where video_id = $1 and name is null", UUID(media_id)
    )
    [data] = [
        b"".join([chunk async for chunk in environment.platform.service(MediaService).objects.read(row["key"])])
        for row in keys
    ]
    return read_hashes(data)


@dataclass
class ListServer:
    """A provider that answers what it is told to."""

    content: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"ETag": '"1"'})
    answered: list[int] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        assert request.headers["Authorization"] == "Bearer a key"
        known = request.headers.get("If-None-Match") == self.headers.get("ETag")
        response = Response(b"" if known else self.content, 304 if known else self.status, self.headers)
        self.answered.append(response.status_code)
        await response(scope, receive, send)


@contextmanager
def _time_passes(hash_list: SyncedHashList) -> Iterator[None]:
    hash_list._due_at = 0
    yield


async def test_a_provider_is_asked_for_what_is_new_and_may_be_away(entativa: Environment) -> None:
    listed, other = hash_of(PICTURE), hash_of(ANOTHER)
    server = ListServer(listed.value.hex().encode())
    async with serve_app(server) as port:
        url = f"http://127.0.0.1:{port}/hashes.csv"
        hash_list = synced(entativa, url)
        for _ in range(2):
            assert await hash_list.nearest(listed, 0) is not None
        assert server.answered == [200, 304]

        server.content, server.headers = f"{listed.value.hex()}\n{other.value.hex()}".encode(), {"ETag": '"2"'}
        assert await hash_list.read() == 2
        assert await hash_list.nearest(other, 0) is not None

        # What cannot be used, for whatever reason, leaves what was read before.
        for status, content, headers in (
            (503, b"", {}),
            (200, b"<html>\nno", {}),
            (200, b"0" * 20_000, {}),
            (200, listed.value.hex().encode(), {"Repr-Digest": "sha-256=:AAAA:"}),
        ):
            server.status, server.content, server.headers = status, content, headers
            with pytest.raises((BadHashList, HashListUnavailable)):
                await hash_list.read()
            with _time_passes(hash_list):
                assert await hash_list.nearest(other, 0) is not None

        # A process that starts meanwhile has the last good one.
        assert await synced(entativa, url).nearest(other, 0) is not None


async def test_nobody_is_held_up_without_a_list(entativa: Environment, tmp_path: Path) -> None:
    ada, missing = await entativa.member("ada"), synced(entativa, str(tmp_path / "missing"))
    media_id = await _upload(entativa, ada, jpeg(PICTURE), missing)
    assert (await ada.get(f"/media/{media_id}")).json()["state"] == "ready"
    with pytest.raises(HashListUnavailable):
        await missing.nearest(hash_of(PICTURE), 0)


async def test_a_picture_with_nothing_in_it_matches_nothing(entativa: Environment, tmp_path: Path) -> None:
    grey = PIL.Image.new("RGB", (400, 300), (90, 90, 90))
    ada, listed = await entativa.member("ada"), synced(entativa, _list_file(tmp_path, hash_of(grey)))
    out = io.BytesIO()
    grey.save(out, "png")
    media_id = await _upload(entativa, ada, out.getvalue(), listed, "image/png")
    assert (await ada.get(f"/media/{media_id}")).json()["state"] == "ready"
