"""A Postgres server of a benchmark's own, with fsync on and an empty, migrated database."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cluster.postgres import Database


@contextlib.asynccontextmanager
async def private_postgres() -> AsyncIterator[tuple[str, Path]]:
    """Yields the database's address, and a folder that goes with it."""
    import asyncpg

    from cluster.local.processes import Processes, free_port
    from cluster.local.services import PostgresServer
    from cluster.migrate import migrate

    with tempfile.TemporaryDirectory(prefix="entativa-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # the account that Postgres runs as must get in
        processes = Processes(Path(folder))
        postgres = PostgresServer(processes, free_port(), token_hex(8))
        try:
            postgres.start()
            admin = await asyncpg.connect(postgres.address("postgres"))
            await admin.execute("create database bench")
            await admin.close()
            await migrate(postgres.address("bench"))
            yield postgres.address("bench"), Path(folder)
        finally:
            postgres.stop()
            processes.sweep()


@contextlib.asynccontextmanager
async def private_database(*, pool_size: int) -> AsyncIterator[Database]:
    """Yields connections to a database of the benchmark's own."""
    from cluster.postgres import connect_database

    async with private_postgres() as (address, _), connect_database(address, pool_size=pool_size) as database:
        yield database
