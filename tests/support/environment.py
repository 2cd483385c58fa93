"""One brand's application over real storage, with a clock that tests move and members that use the API."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import orjson
from pydantic import SecretStr

from api.app import create_app
from api.platform import Platform
from api.routes import VERSION
from brands import Brand
from cluster.events.redis_log import RedisEventLog
from cluster.events.worker import drain_events
from cluster.settings import RateLimits, Settings
from deployments.platform import brand_consumers, open_platform
from features.auth.keys import ensure_key
from features.auth.policy import AuthPolicy
from features.auth.service import AuthService
from features.ports import Ports
from tests.support.clock import Clock
from tests.support.mail_trap import CaughtMail, MailTrap
from tests.support.member import Member
from tests.support.seen_errors import check_errors

ROOT = "http://test"
"""Before the paths that have no version."""
CLUSTER_SECRET = "a secret of the tests"
PASSWORD = "correct horse battery staple"
_documents: dict[tuple[str, tuple[str, ...]], bytes] = {}


@dataclass(slots=True, repr=False)  # asyncio.Runner makes a text of what a fixture's task returns: this one took 0.4 s
class Environment:
    """One brand with all its features, and what tests need to use and observe it."""

    brand: Brand
    settings: Settings
    platform: Platform
    client: httpx.AsyncClient
    clock: Clock
    mails: list[CaughtMail]
    event_log: RedisEventLog

    @property
    def anonymous(self) -> Member:
        return Member(self.client)

    async def member(self, username: str) -> Member:
        """Signs somebody up over HTTP and confirms the address with the code from the mail."""
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
        """Starts another sign-in session of somebody who has an account."""
        answer = await self.client.post("/auth/log-in", json={"login": username, "password": password})
        assert answer.status_code == 200, answer.text
        return self._member(username, answer.json())

    async def suspend(self, member: Member) -> None:
        """Suspends an account, as an operator does."""
        async with self.platform.database.unit_of_work() as uow:
            await self.platform.service(AuthService).account_life.suspend(uow, UUID(member.id), self.clock())
            await uow.commit()

    def _member(self, username: str, tokens: dict[str, Any]) -> Member:
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        email = f"{username}@example.org"
        return Member(self.client, username, tokens["account_id"], email, headers, tokens)

    async def document(self) -> dict[str, Any]:
        """Returns the brand's OpenAPI document. To make it takes seconds: a test process asks once for each brand."""
        key = (self.brand.name, self.brand.feature_names)
        if key not in _documents:
            _documents[key] = (await self.client.get(f"{ROOT}/openapi.json")).content
        document: dict[str, Any] = orjson.loads(_documents[key])
        return document

    async def drain(self) -> None:
        """Relays the outbox and runs every consumer until nothing is left."""
        await drain_events(brand_consumers(self.platform), self.platform.database, self.event_log)

    @staticmethod
    def statements(response: httpx.Response) -> int:
        """Returns how many SQL statements the request sent."""
        found = re.search(r'sql;desc="(\d+)"', response.headers["Server-Timing"])
        assert found
        return int(found[1])


def open_client(platform: Platform) -> httpx.AsyncClient:
    """Returns a client of the platform's application. It raises AssertionError for an error that its route does not
    declare."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=create_app(platform), raise_app_exceptions=False),
        base_url=f"{ROOT}{VERSION}",
        event_hooks={"response": [partial(check_errors, platform.brand)]},
    )


@asynccontextmanager
async def open_environment(
    brand: Brand,
    database_address: str,
    redis_url: str,
    folder: Path,
    mail_trap: MailTrap,
    ports: Ports | None = None,
) -> AsyncIterator[Environment]:
    """Opens a brand over an empty, migrated database. The brand's keys in Redis must have been deleted. Without `ports`
    (entities) all feeds and counters come from Postgres."""
    auth = replace(brand.policy(AuthPolicy), hash_memory_kib=64, hash_passes=1)  # a member's password cost 0.1 s
    brand, clock = brand.with_policy(auth), Clock()
    settings = Settings(
        databases={brand.name: SecretStr(database_address)},
        redis_url=SecretStr(redis_url),
        smtp_url=SecretStr(mail_trap.url),
        keys_directory=folder,
        objects_url=str(folder / "objects"),
        videos_directory=folder / "videos",
        cluster_secret=SecretStr(CLUSTER_SECRET),
        public_urls={brand.name: ROOT},
        trusted_proxies=0,
        server_timing=True,
        rate_limits=RateLimits(
            identity_per_minute=600_000,
            address_per_minute=600_000,
            credentials_per_minute=600_000,
            refreshes_per_minute=600_000,
            posts_per_minute=600_000,
        ),
    )
    ensure_key(folder / brand.name, clock())
    platform = await open_platform(brand, settings, connect=lambda _: ports or Ports(), now=clock)
    try:
        async with open_client(platform) as client:
            mail_trap.mails.clear()
            yield Environment(
                brand, settings, platform, client, clock, mail_trap.mails, RedisEventLog(platform.redis, brand.name)
            )
    finally:
        await platform.close()
