"""Captions that a transcriber behind HTTP makes of videos."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from cluster.events.dead_letters import dead_letters, requeue
from cluster.events.worker import drain_events
from deployments.platform import brand_consumers
from features.media.service import MediaService
from features.videos.events import Ready
from features.videos.http_transcriber import HttpTranscriber, TranscriberFailed, _wait
from features.videos.service import VideoService
from features.videos.transcribing import TranscriberUnavailable, Transcribing
from tests.integration.test_operator_commands import entativa_command
from tests.integration.videos.test_videos import VTT, _beside, _read, _video
from tests.support.app_server import serve_app
from tests.support.clips import clip
from tests.support.environment import Environment
from tests.support.member import Member
from tests.support.uploads import upload

SPOKEN = "WEBVTT\n\n00:00.500 --> 00:01.500\n<c.loud>Bom dia</c>\n"


@dataclass
class Listener:
    """A transcriber that answers what it is told to."""

    status: int = 200
    content: bytes = SPOKEN.encode()
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Language": "pt"})
    asked: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)
    """Headers and body of each request."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        self.asked.append((request.headers, await request.body()))
        response = Response(self.content, self.status, dict(self.headers), media_type="text/vtt")
        await response(scope, receive, send)


@asynccontextmanager
async def _serving(listener: Listener) -> AsyncIterator[str]:
    async with serve_app(listener) as port:
        yield f"http://127.0.0.1:{port}/transcripts"


async def _transcribe(environment: Environment, member: Member, media_id: str, url: str, **options: Any) -> None:
    """Handles the event of a ready video once."""
    platform = environment.platform
    transcriber = HttpTranscriber(url, **options)
    videos, media = platform.service(VideoService), platform.service(MediaService)
    transcribing = Transcribing(environment.brand.name, videos, media, transcriber, environment.clock)
    async with platform.database.unit_of_work() as uow:
        await transcribing.transcribe(uow, Ready(UUID(media_id), UUID(member.id)))
        await uow.commit()


async def test_a_video_with_sound_gets_captions(entativa: Environment) -> None:
    """Through the event that says that a video is ready, where the operator has set an address."""
    ada, listener = await entativa.member("ada"), Listener()
    async with _serving(listener) as url:
        changed = {"transcriber_url": url, "transcriber_token": SecretStr("a key")}
        scope = replace(entativa.platform, settings=entativa.settings.model_copy(update=changed))
        await drain_events(brand_consumers(scope), scope.database, entativa.event_log)
        media_id = await upload(entativa, ada, clip(), "video/mp4")
        await drain_events(brand_consumers(scope), scope.database, entativa.event_log)
    video = await _video(ada, media_id)
    assert video["captions"] == [{"language": "pt", "label": "pt (automatic)", "origin": "transcribed"}]
    path = video["stream"]["path"]
    assert b'LANGUAGE="pt"' in await _read(entativa, path)
    captions = (await _read(entativa, _beside(path, "captions-pt.vtt"))).decode()
    assert captions.endswith("00:00:00.500 --> 00:00:01.500\nBom dia\n")
    [(headers, audio)] = listener.asked
    assert (headers["authorization"], headers["content-type"]) == ("Bearer a key", "audio/mp4")
    assert audio == await _read(entativa, _beside(path, "audio.mp4"))
    uploaded = await ada.put(f"/media/{media_id}/captions/pt", json={"label": "Português", "webvtt": VTT})
    assert uploaded.json()["origin"] == "uploaded"
    assert [one["origin"] for one in (await _video(ada, media_id))["captions"]] == ["uploaded"]


async def test_videos_from_before_the_transcriber_are_sent_when_the_operator_asks(
    entativa: Environment, tmp_path: Path
) -> None:
    ada, listener = await entativa.member("ada"), Listener()
    spoken = await upload(entativa, ada, clip(seconds=1), "video/mp4")
    await upload(entativa, ada, clip(seconds=1, audio=False), "video/mp4")
    command = ("videos", "transcribe", "entativa")
    refused = entativa_command(entativa, tmp_path, *command)
    assert (refused.returncode, refused.stdout) == (1, ""), refused.stderr
    async with _serving(listener) as url:
        changed = entativa.settings.model_copy(update={"transcriber_url": url})
        scope = replace(entativa.platform, settings=changed)
        await drain_events(brand_consumers(scope), scope.database, entativa.event_log)
        for count in (1, 0):
            asked = entativa_command(entativa, tmp_path, *command, ENTATIVA_TRANSCRIBER_URL=url)
            assert (asked.returncode, asked.stdout) == (0, f"{count} videos wait for the transcriber\n"), asked.stderr
            await drain_events(brand_consumers(scope), scope.database, entativa.event_log)
    assert [one["language"] for one in (await _video(ada, spoken))["captions"]] == ["pt"]
    assert len(listener.asked) == 1


async def test_what_needs_no_transcript_is_not_sent(entativa: Environment) -> None:
    ada, listener = await entativa.member("ada"), Listener()
    captioned, deleted = [await upload(entativa, ada, clip(seconds=1), "video/mp4") for _ in range(2)]
    silent = await upload(entativa, ada, clip(seconds=1, audio=False), "video/mp4")
    await ada.put(f"/media/{captioned}/captions/en", json={"label": "English", "webvtt": VTT})
    assert (await ada.delete(f"/media/{deleted}")).status_code == 204
    async with _serving(listener) as url:
        for media_id in (captioned, silent, deleted):
            await _transcribe(entativa, ada, media_id, url)
    assert listener.asked == []
    assert [one["origin"] for one in (await _video(ada, captioned))["captions"]] == ["uploaded"]


async def test_what_a_transcriber_answers(entativa: Environment) -> None:
    ada, listener = await entativa.member("ada"), Listener()
    media_id = await upload(entativa, ada, clip(seconds=1), "video/mp4")
    async with _serving(listener) as url:
        for listener.status, listener.content in [
            (204, b""),
            (413, b"too long"),
            (415, b"what is this"),
            (422, b"too noisy"),
            (200, b"Bom dia"),
            (200, b"WEBVTT\n\n00:01.000 --> 00:00.500\nback in time\n"),
            (200, b"WEBVTT\n\n00:01.000 --> 00:02.500\n\xff\n"),
            (200, SPOKEN.encode() + b"\n" * 5_000_000),
        ]:
            await _transcribe(entativa, ada, media_id, url)
            assert (await _video(ada, media_id))["captions"] == []
        for listener.status in (429, 503):
            with pytest.raises(TranscriberUnavailable):
                await _transcribe(entativa, ada, media_id, url)
        # What only some files bring about must end; a wrong address or token must cost no captions.
        for listener.status in (302, 400, 401, 403, 404, 500, 502, 504):
            with pytest.raises(TranscriberFailed):
                await _transcribe(entativa, ada, media_id, url)
        listener.status, listener.content, listener.headers = 200, SPOKEN.encode(), {"Content-Language": "../../etc"}
        await _transcribe(entativa, ada, media_id, url)
    assert [one["language"] for one in (await _video(ada, media_id))["captions"]] == ["und"]


@pytest.mark.parametrize(
    ("asked", "wait"),
    [("120", 120), ("9" * 5000, 3600), ("", 0), ("-1", 0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0), ("1.5", 0)],
)
def test_how_long_a_busy_transcriber_asks_to_wait(asked: str, wait: int) -> None:
    assert _wait(httpx.Response(429, headers={"Retry-After": asked})) == timedelta(seconds=wait)


async def test_captions_are_not_lost_to_a_wrong_token(entativa: Environment) -> None:
    ada, listener = await entativa.member("ada"), Listener(401)
    pool = entativa.platform.database.pool
    async with _serving(listener) as url:
        changed = {"transcriber_url": url}
        scope = replace(entativa.platform, settings=entativa.settings.model_copy(update=changed))

        async def consume() -> None:
            await pool.execute("update event_retries set due_at = now() where consumer = 'videos.transcribing'")
            await drain_events(brand_consumers(scope), scope.database, entativa.event_log)

        await consume()
        media_id = await upload(entativa, ada, clip(seconds=1), "video/mp4")
        for _ in range(6):
            await consume()
        [dead] = await dead_letters(scope.database)
        assert (dead.consumer, dead.reason) == ("videos.transcribing", "TranscriberFailed: status 401")
        assert len(listener.asked) == 4
        listener.status = 200
        assert await requeue(scope.database, "videos.transcribing") == 1
        await consume()
    assert [one["language"] for one in (await _video(ada, media_id))["captions"]] == ["pt"]


async def test_a_transcriber_that_is_away_or_does_not_end(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    media_id = await upload(entativa, ada, clip(seconds=1), "video/mp4")

    async def stalling(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    async def trickling(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"\n", "more_body": True})
            await asyncio.sleep(0.05)

    for endless in (stalling, trickling):
        async with serve_app(endless) as port:
            url = f"http://127.0.0.1:{port}/"
            with pytest.raises(TranscriberFailed, match="in time"):
                async with asyncio.timeout(60):
                    await _transcribe(entativa, ada, media_id, url, timeout=timedelta(seconds=0.5))

    async def breaking_off(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})
        await send({"type": "http.response.body", "body": b"WEBVTT", "more_body": True})
        raise ConnectionError

    async with serve_app(breaking_off) as port:
        url = f"http://127.0.0.1:{port}/"
        with pytest.raises(TranscriberFailed, match=r"RemoteProtocolError|ReadError"):
            await _transcribe(entativa, ada, media_id, url)
    with pytest.raises(TranscriberUnavailable):
        await _transcribe(entativa, ada, media_id, url)
    assert (await _video(ada, media_id))["captions"] == []


async def test_captions_that_were_uploaded_meanwhile_stay(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    media_id = await upload(entativa, ada, clip(seconds=1), "video/mp4")

    @dataclass
    class Slow(Listener):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await ada.put(f"/media/{media_id}/captions/en", json={"label": "English", "webvtt": VTT})
            await super().__call__(scope, receive, send)

    async with _serving(Slow()) as url:
        await _transcribe(entativa, ada, media_id, url)
    assert [one["language"] for one in (await _video(ada, media_id))["captions"]] == ["en"]
