"""The private Postgres and Redis servers of a test run, and fresh databases on them."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from cluster.local.services import PostgresServer, RedisServer
from cluster.redis import open_redis


@dataclass(frozen=True, slots=True)
class Servers:
    """The servers of this test run. `template` is a migrated database that tests clone in milliseconds."""

    postgres: PostgresServer
    redis: RedisServer
    template: str = "template_entativa"


async def execute(address: str, *statements: str) -> None:
    """Run statements outside any pool or transaction."""
    connection = await asyncpg.connect(address)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@asynccontextmanager
async def fresh_database(servers: Servers, template: str) -> AsyncIterator[str]:
    """The address of a fresh, migrated database that is dropped at the end."""
    name = f"test_{secrets.token_hex(6)}"
    admin = servers.postgres.address("postgres")
    await execute(admin, f"create database {name} template {template} strategy file_copy")
    yield servers.postgres.address(name)
    await execute(admin, f"drop database {name} with (force)")


async def forget_brand(servers: Servers, brand: str) -> None:
    """Deletes a brand's keys from Redis."""
    redis = open_redis(servers.redis.address())
    old = [key async for key in redis.scan_iter(f"{brand}:*", count=1000)]
    if old:
        await redis.delete(*old)
    await redis.aclose()
