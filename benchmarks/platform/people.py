"""Fills a brand: 100 people in a ring, each tied to the 20 nearest, 5,000 posts, and a session for each."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import httpx
from argon2 import PasswordHasher
from pydantic import SecretStr

from api.app import create_app
from api.routes import VERSION
from brands import Brand
from cluster.ids import new_id
from cluster.local.installation import Installation
from cluster.settings import RateLimits, Settings
from deployments.platform import open_platform

PEOPLE, TIES, POSTS = 100, 20, 5_000
PASSWORD = "correct horse battery staple"
TEXT = "Some text of the usual length, as people write them when they have something to tell; it goes on. "


async def fill(installation: Installation, brand: Brand) -> list[str]:
    """Fill the brand's database and return an access token for each person."""
    await _fill_database(installation.databases()[brand.name])
    return await _log_in(installation, brand)


async def _fill_database(address: str) -> None:
    begin = datetime.now(UTC) - timedelta(days=30)
    people = [new_id(begin + timedelta(seconds=number)) for number in range(PEOPLE)]
    chance = random.Random(1)
    ties = [
        (people[number], people[(number + step) % PEOPLE], begin)
        for number in range(PEOPLE)
        for step in range(-TIES // 2, TIES // 2 + 1)
        if step
    ]
    audiences = ["public"] * 5 + ["connections"] * 4 + ["only_me"]
    posts = []
    for number in range(POSTS):
        at = begin + timedelta(days=1, minutes=5 * number)
        entities = '[{"tag": "lisbon", "start": 0, "end": 7}]' if number % 5 == 0 else None
        text = ("#lisbon " if entities else "") + TEXT * chance.randrange(1, 4)
        posts.append((new_id(at), chance.choice(people), text, entities, chance.choice(audiences), at))
    password_hash = PasswordHasher().hash(PASSWORD)
    connection = await asyncpg.connect(address)
    try:
        for table, columns, rows in (
            (
                "accounts",
                "id email password_hash created_at",
                [(person, f"person{n}@example.org", password_hash, begin) for n, person in enumerate(people)],
            ),
            (
                "profiles",
                "account_id username name created_at updated_at",
                [(person, f"person{n}", f"Person Number {n}", begin, begin) for n, person in enumerate(people)],
            ),
            ("connection_counts", "account_id audience following", [(person, TIES, TIES) for person in people]),
            ("connections", "owner_id viewer_id created_at", ties),
            ("posts", "id author_id text entities audience created_at", posts),
            ("post_hashtags", "tag created_at post_id", [("lisbon", p[5], p[0]) for p in posts if p[3]]),
        ):
            await connection.copy_records_to_table(table, records=rows, columns=columns.split())
        await connection.execute("vacuum analyze")
    finally:
        await connection.close()


async def _log_in(installation: Installation, brand: Brand) -> list[str]:
    """Real sessions in the platform's own storage, made in this process so that no rate limit is in the way."""
    environment = installation.environment()
    unlimited = 60_000_000
    settings = Settings(
        databases={brand.name: SecretStr(installation.databases()[brand.name])},
        redis_url=SecretStr(environment["ENTATIVA_REDIS_URL"]),
        keys_directory=installation.home / "keys",
        cluster_secret=SecretStr(environment["ENTATIVA_CLUSTER_SECRET"]),
        public_urls={brand.name: installation.addresses()[brand.name]["api"]},
        rate_limits=RateLimits(address_per_minute=unlimited, credentials_per_minute=unlimited),
    )
    platform = await open_platform(brand, settings)
    try:
        transport = httpx.ASGITransport(app=create_app(platform))
        async with httpx.AsyncClient(transport=transport, base_url=f"http://bench{VERSION}") as client:
            logins = [{"login": f"person{n}", "password": PASSWORD} for n in range(PEOPLE)]
            answers = [await client.post("/auth/log-in", json=login) for login in logins]
    finally:
        await platform.close()
    return [answer.raise_for_status().json()["access_token"] for answer in answers]


_filled: dict[tuple[Path, str], list[str]] = {}


def fill_now(installation: Installation, brand: Brand) -> list[str]:
    """`fill` for callers outside an event loop, once for each installation."""
    key = (installation.home, brand.name)
    if key not in _filled:
        _filled[key] = asyncio.run(fill(installation, brand))
    return _filled[key]
