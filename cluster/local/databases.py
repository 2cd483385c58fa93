"""Creates the databases of a private Postgres server."""

import asyncpg


async def create_databases(admin_address: str, names: list[str]) -> None:
    """Create those that are missing."""
    connection = await asyncpg.connect(admin_address)
    try:
        for name in names:
            if not await connection.fetchval("select 1 from pg_database where datname = $1", name):
                await connection.execute(f'create database "{name}"')
    finally:
        await connection.close()
