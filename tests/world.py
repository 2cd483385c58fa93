"""A world for tests: one brand's application over real storage, a clock that tests move, and people who use it."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from pydantic import SecretStr

from api.app import create_app
from api.platform import Platform
from brands import Brand
from cluster.consumers import ConsumerRunner
from cluster.event_log import EventLog
from cluster.local.processes import free_port
from cluster.outbox import relay_batch
from cluster.settings import RateLimits, Settings
from deployments.platform import brand_consumers, open_platform
from features.auth.keys import ensure_key
from features.feed.ports import Feeds

PASSWORD = "correct horse battery staple"


class Clock:
    """The platform's time; starts at the real time and moves only when told."""

    def __init__(self) -> None:
        self._now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> datetime:
        self._now += by
        return self._now


@dataclass(frozen=True, slots=True)
class CaughtMail:
    to: str
    subject: str
    text: str

    @property
    def code(self) -> str:
        """The confirmation code in it."""
        found = re.search(r"\b(\d{6})\b", self.text)
        assert found, "the mail holds no code"
        return found[1]


class MailTrap:
    """A real SMTP server that keeps what it is given."""

    def __init__(self) -> None:
        self.mails: list[CaughtMail] = []
        self._controller = Controller(self, hostname="127.0.0.1", port=free_port())

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        message = message_from_bytes(content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.mails.append(CaughtMail(envelope.rcpt_tos[0], str(message["Subject"]), message.get_content()))
        return "250 OK"

    def __enter__(self) -> "MailTrap":
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self._controller.port}"


@dataclass(slots=True)
class Member:
    """Somebody who uses the API; `headers` carry the access token."""

    client: httpx.AsyncClient
    username: str = ""
    id: str = ""
    email: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, Any] = field(default_factory=dict)

    async def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {**self.headers, **options.pop("headers", {})}
        return await self.client.request(method, path, headers=headers, **options)

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.request("GET", path, **options)

    async def post(self, path: str, **options: Any) -> httpx.Response:
        return await self.request("POST", path, **options)

    async def put(self, path: str, **options: Any) -> httpx.Response:
        return await self.request("PUT", path, **options)

    async def patch(self, path: str, **options: Any) -> httpx.Response:
        return await self.request("PATCH", path, **options)

    async def delete(self, path: str, **options: Any) -> httpx.Response:
        return await self.request("DELETE", path, **options)


@dataclass(slots=True)
class World:
    """One brand, whole."""

    brand: Brand
    settings: Settings
    platform: Platform
    client: httpx.AsyncClient
    clock: Clock
    mails: list[CaughtMail]
    event_log: EventLog

    @property
    def anonymous(self) -> Member:
        return Member(self.client)

    async def member(self, username: str) -> Member:
        """Somebody who has signed up and confirmed the address with the code from the mail, all over HTTP."""
        email = f"{username}@example.org"
        answer = await self.client.post(
            "/auth/sign-up", json={"email": email, "username": username, "password": PASSWORD, "name": username.title()}
        )
        assert answer.status_code == 202, answer.text
        await self.drain()
        code = next(mail.code for mail in reversed(self.mails) if mail.to == email)
        answer = await self.client.post("/auth/confirm", json={"sign_up_id": answer.json()["sign_up_id"], "code": code})
        assert answer.status_code == 201, answer.text
        return self._member(username, answer.json())

    async def log_in(self, username: str, password: str = PASSWORD) -> Member:
        """A new device session of somebody who has an account."""
        answer = await self.client.post("/auth/log-in", json={"login": username, "password": password})
        assert answer.status_code == 200, answer.text
        return self._member(username, answer.json())

    def _member(self, username: str, tokens: dict[str, Any]) -> Member:
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        email = f"{username}@example.org"
        return Member(self.client, username, tokens["account_id"], email, headers, tokens)

    async def drain(self) -> None:
        """Relay the outbox and run every consumer until nothing is left to do."""
        while await relay_batch(self.platform.database, self.event_log, self.clock()):
            pass
        for consumer in brand_consumers(self.platform):
            await self.event_log.create_group(consumer.name)
            runner = ConsumerRunner(consumer, self.platform.database, self.event_log, "test")
            while await runner.step(block_ms=1):
                pass

    @staticmethod
    def statements(response: httpx.Response) -> int:
        """How many SQL statements the request sent."""
        found = re.search(r'sql;desc="(\d+)"', response.headers["Server-Timing"])
        assert found
        return int(found[1])


@asynccontextmanager
async def open_world(
    brand: Brand,
    database_address: str,
    redis_url: str,
    folder: Path,
    mail_trap: MailTrap,
    feeds: Feeds | None = None,
) -> AsyncIterator[World]:
    """A world over an empty, migrated database. Redis keys of former worlds must be gone. `feeds` are the timelines in
    memory; without them all feeds come from Postgres."""
    clock = Clock()
    settings = Settings(
        databases={brand.name: SecretStr(database_address)},
        redis_url=SecretStr(redis_url),
        smtp_url=SecretStr(mail_trap.url),
        keys_directory=folder,
        cluster_secret=SecretStr("a secret of the tests"),
        public_urls={brand.name: "http://test"},
        trusted_proxies=0,
        server_timing=True,
        rate_limits=RateLimits(identity_per_minute=600_000, address_per_minute=600_000, credentials_per_minute=600_000),
    )
    ensure_key(folder / brand.name, clock())
    platform = await open_platform(brand, settings, feeds=feeds, now=clock)
    transport = httpx.ASGITransport(app=create_app(platform), raise_app_exceptions=False)
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            mail_trap.mails.clear()
            yield World(brand, settings, platform, client, clock, mail_trap.mails, EventLog(platform.redis, brand.name))
    finally:
        await platform.close()
