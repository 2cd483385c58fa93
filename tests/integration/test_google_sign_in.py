"""Signing in to Google for a backup: the browser comes back to a port of this machine."""

import asyncio
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from client.backup import BackupUnavailable
from client.backup.google_sign_in import GoogleProgram, sign_in
from tests.support.cloud_servers import REFRESH_TOKEN, GoogleDrive

PROGRAM = GoogleProgram("id", "secret", "https://accounts.test/auth", "https://drive.test/token")


async def test_signing_in_to_google_with_a_browser() -> None:
    drive = GoogleDrive()
    shown: asyncio.Queue[str] = asyncio.Queue()
    signing_in = asyncio.create_task(sign_in(PROGRAM, shown.put_nowait, httpx.ASGITransport(app=drive.app)))
    asked = parse_qs(urlsplit(await shown.get()).query)
    assert asked["scope"] == ["https://www.googleapis.com/auth/drive.appdata"]
    assert (asked["code_challenge_method"], asked["access_type"]) == (["S256"], ["offline"])
    drive.code_challenge = asked["code_challenge"][0]
    async with httpx.AsyncClient() as browser:
        page = await browser.get(asked["redirect_uri"][0], params={"code": "a code", "state": asked["state"][0]})
    assert "close this page" in page.text
    assert await signing_in == REFRESH_TOKEN


async def test_an_answer_to_somebody_elses_sign_in_is_refused() -> None:
    drive = GoogleDrive()
    shown: asyncio.Queue[str] = asyncio.Queue()
    signing_in = asyncio.create_task(sign_in(PROGRAM, shown.put_nowait, httpx.ASGITransport(app=drive.app)))
    asked = parse_qs(urlsplit(await shown.get()).query)
    drive.code_challenge = asked["code_challenge"][0]
    async with httpx.AsyncClient() as browser:
        await browser.get(asked["redirect_uri"][0], params={"code": "a code", "state": "another"})
    with pytest.raises(BackupUnavailable):
        await signing_in
