"""A stream is played by hls.js in a browser, on a page of another origin."""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from api.app import create_app
from deployments.platform import open_platform
from tests.peers.node import HERE
from tests.support.app_server import serve_app
from tests.support.clips import made
from tests.support.environment import Environment
from tests.support.node import npm_ci
from tests.support.uploads import upload

STEPS = ["started", "switched", "sought", "captioned", "ended"]
_STEP_S = 60
VTT = "WEBVTT\n\n00:00.500 --> 00:01.500\nHello\n"


def _red_then_blue() -> bytes:
    """Three seconds, with a tone."""
    picture = (
        "color=red:size=128x72:rate=30:duration=1.5[a];color=blue:size=128x72:rate=30:duration=1.5[b];[a][b]concat"
    )
    encoder = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac")
    tone = ("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000")
    return made("-f", "lavfi", "-i", picture, *tone, "-t", "3", *encoder)


class _Page:
    """The page with the player, and what it reports."""

    def __init__(self) -> None:
        npm_ci(HERE)
        self.reports: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.app = Starlette(
            routes=[
                Route("/", lambda _: FileResponse(HERE / "player.html")),
                Route("/hls.js", lambda _: FileResponse(HERE / "node_modules/hls.js/dist/hls.js")),
                Route("/report", self._take_report, methods=["POST"]),
            ]
        )

    async def _take_report(self, request: Request) -> Response:
        self.reports.put_nowait(json.loads(await request.body()))
        return Response(status_code=204)

    async def steps(self) -> dict[str, dict[str, Any]]:
        """Returns what the page reports of each step."""
        found = dict[str, dict[str, Any]]()
        for step in STEPS:
            async with asyncio.timeout(_STEP_S):
                found[step] = await self.reports.get()
            assert found[step]["step"] == step, found
        return found


@contextlib.asynccontextmanager
async def _browser(address: str, profile: Path) -> AsyncIterator[None]:
    """Opens an address in a browser without a window."""
    process = await asyncio.create_subprocess_exec(
        *("chromium-headless-shell", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio"),
        *(
            "--autoplay-policy=no-user-gesture-required",
            f"--user-data-dir={profile}",
            "--remote-debugging-port=0",
            address,
        ),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def test_a_browser_plays_switches_qualities_and_seeks(chunked: Environment, tmp_path: Path) -> None:
    ada = await chunked.member("ada")
    media_id = await upload(chunked, ada, _red_then_blue(), "video/mp4")
    assert (await ada.put(f"/media/{media_id}/captions/en", json={"label": "English", "webvtt": VTT})).is_success
    post = await ada.post("/posts", json={"text": "x", "audience": "only_me", "media": [{"id": media_id}]})
    [medium] = (await ada.get(f"/posts/{post.json()['id']}/media")).json()["items"]

    page = _Page()
    async with serve_app(page.app) as page_port:
        origin = f"http://127.0.0.1:{page_port}"
        settings = chunked.settings.model_copy(update={"cors_origins": (origin,)})
        platform = await open_platform(chunked.brand, settings, now=chunked.clock)
        try:
            async with serve_app(create_app(platform)) as port:
                stream = f"http://127.0.0.1:{port}/v1{medium['path']}/stream/master.m3u8"
                async with _browser(f"{origin}/?stream={stream}", tmp_path / "browser"):
                    steps = await page.steps()
        finally:
            await platform.close()

    started, switched, sought, captioned, ended = (steps[step] for step in STEPS)
    assert (started["heights"], started["height"], started["audio"]) == ([36, 72], 36, True)
    assert abs(started["duration"] - 3) < 0.1
    assert switched["height"] == sought["height"] == 72
    for shown in (started, switched, sought):
        if abs(shown["time"] - 1.5) > 0.1:
            assert [round(part / 255) for part in shown["colour"]] == ([1, 0, 0] if shown["time"] < 1.5 else [0, 0, 1])
    assert abs(sought["time"] - 2.3) < 0.1
    assert captioned["text"] == "Hello"
    assert abs(captioned["begins"] - 0.5) < 0.1
    assert abs(ended["time"] - 3) < 0.1
