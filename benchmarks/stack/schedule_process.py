"""A process that publishes scheduled posts, as those with consumers do, until it is killed.

Command line: the address of the database. It prints a line when it is ready.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from cluster.postgres import connect_database
from features.posts.scheduling import run_schedule


async def _run(address: str) -> None:
    async with connect_database(address, pool_size=2) as database:
        scope: Any = SimpleNamespace(database=database, brand="bench", now=lambda: datetime.now(UTC))
        print("ready", flush=True)
        await run_schedule(scope)


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1]))
