"""Fills a brand with groups of people: 100 in a ring, each tied to the 20 nearest, 5,000 posts, and sessions.

Posts of one group are texts; those of another have one to four images each, and reactions of their authors' friends."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import httpx
import orjson
from argon2 import PasswordHasher
from pydantic import SecretStr

from api.app import create_app
from api.platform import Platform
from api.routes import VERSION
from benchmarks.size import sized
from brands import Brand
from cluster.ids import new_id
from cluster.local.installation import Installation
from cluster.settings import RateLimits, Settings
from deployments.platform import open_platform
from features.posts.model import Attachment

PEOPLE, TIES, POSTS = 100, 20, 5_000
LOGGED_IN = sized(PEOPLE, 5)
PASSWORD = "correct horse battery staple"
TEXT = "Some text of the usual length, as people write them when they have something to tell; it goes on. "

PLAIN, WITH_MEDIA = "person", "photographer"
"""The groups; usernames are that and a number."""


async def fill(installation: Installation, brand: Brand, group: str) -> list[str]:
    """Adds a group to the brand's database and returns access tokens, one for each person who is logged in."""
    connection = await asyncpg.connect(installation.databases()[brand.name])
    try:
        await _add_people(connection, group)
        if group == WITH_MEDIA:
            await _add_media(connection)
            await _add_reactions(connection)
        await connection.execute("vacuum analyze")
    finally:
        await connection.close()
    return await log_in(installation, brand, group)


async def _add_people(connection: asyncpg.Connection[asyncpg.Record], group: str) -> None:
    begin = datetime.now(UTC) - timedelta(days=30)
    people = [new_id(begin + timedelta(seconds=number)) for number in range(PEOPLE)]
    chance = random.Random(group)
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
    for table, columns, rows in (
        (
            "accounts",
            "id email password_hash created_at",
            [(person, f"{group}{n}@example.org", password_hash, begin) for n, person in enumerate(people)],
        ),
        (
            "profiles",
            "account_id username name created_at updated_at",
            [(person, f"{group}{n}", f"Person Number {n}", begin, begin) for n, person in enumerate(people)],
        ),
        ("connection_counts", "account_id audience following", [(person, TIES, TIES) for person in people]),
        ("connections", "owner_id viewer_id created_at", ties),
        ("posts", "id author_id text entities audience created_at", posts),
        ("post_hashtags", "tag created_at post_id", [("lisbon", p[5], p[0]) for p in posts if p[3]]),
    ):
        await connection.copy_records_to_table(table, records=rows, columns=columns.split())


_MEDIA = """
update posts set media = ($1::jsonb[])[1 + abs(hashtext(id::text)) % 4]
where author_id in (select account_id from profiles where username like $2 || '%')
"""
_REACTIONS = """
with reacted as (
    insert into reactions (target_id, target_kind, account_id, kind, created_at)
    select posts.id, 'post', viewer_id, (array['like', 'like', 'love', 'haha'])[1 + abs(hashtext(viewer_id::text)) % 4],
        posts.created_at
    from posts join connections on owner_id = author_id
    where author_id in (select account_id from profiles where username like $1 || '%')
        and posts.audience <> 'only_me' and hashtext(posts.id::text || viewer_id::text) % 4 = 0
    returning target_id, kind
)
insert into target_counts (target_id, name, shard, count) select target_id, kind, 0, count(*) from reacted group by 1, 2
"""


async def _add_media(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Gives posts what is stored of images with them. There are no files behind them."""
    chance = random.Random(WITH_MEDIA)
    images: list[Attachment] = [
        {
            "id": str(UUID(int=chance.getrandbits(128))),
            "alt": "A harbour in the evening, seen from above",
            "width": 1440,
            "height": 1080,
            "blurhash": "LEHV6nWB2yk8pyo0adR*.7kCMdnj",
            "widths": [320, 640, 1080, 1440],
            "video": None,
        }
        for _ in range(4)
    ]
    albums = [orjson.dumps(images[: number + 1]).decode() for number in range(4)]
    await connection.execute(_MEDIA, albums, WITH_MEDIA)


async def _add_reactions(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Has a quarter of those who see a post react to it."""
    await connection.execute(_REACTIONS, WITH_MEDIA)


async def log_in(installation: Installation, brand: Brand, group: str) -> list[str]:
    """Real sessions in the platform's own storage, made in this process so that no rate limit is in the way."""
    async with open_in_process(installation, brand) as platform:
        transport = httpx.ASGITransport(app=create_app(platform))
        async with httpx.AsyncClient(transport=transport, base_url=f"http://bench{VERSION}") as client:
            logins = [{"login": f"{group}{n}", "password": PASSWORD} for n in range(LOGGED_IN)]
            answers = [await client.post("/auth/log-in", json=login) for login in logins]
    return [answer.raise_for_status().json()["access_token"] for answer in answers]


@contextlib.asynccontextmanager
async def open_in_process(installation: Installation, brand: Brand) -> AsyncIterator[Platform]:
    """The brand over the storage of a running platform, in this process."""
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
        yield platform
    finally:
        await platform.close()


_filled: dict[tuple[Path, str, str], list[str]] = {}


def fill_now(installation: Installation, brand: Brand, group: str = PLAIN) -> list[str]:
    """`fill` for callers outside an event loop, once for each installation."""
    key = (installation.home, brand.name, group)
    if key not in _filled:
        _filled[key] = asyncio.run(fill(installation, brand, group))
    return _filled[key]
