"""Two operators of PINs beside a running platform, as processes of the same machine."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from brands.catalogue import BRANDS
from cluster.local.processes import free_port
from tests.e2e.running import RunningPlatform, until
from tests.support.servers import execute


@asynccontextmanager
async def pin_operators(platform: RunningPlatform) -> AsyncIterator[list[str]]:
    """Two operators, each with databases of its own in the platform's Postgres. They are processes of the installation.
    Yields their addresses, in the order of their numbers."""
    installation, processes = platform.installation, platform.installation.processes
    names = [f"pin-operator-{number}" for number in (1, 2)]
    run, addresses = secrets.token_hex(4), []
    try:
        for number, name in enumerate(names, 1):
            urls = [installation.postgres.address(f"pin_{run}_{number}_{kind}") for kind in ("states", "anchors")]
            for url in urls:
                database = url.rpartition("/")[2]
                await execute(installation.postgres.address("postgres"), f"create database {database}")
            port = free_port()
            settings = {
                "INDEX": str(number),
                "DATABASE_URL": urls[0],
                "ANCHOR_URL": urls[1],
                "SECRET": secrets.token_hex(32),
                "ISSUERS": json.dumps({brand: platform.address(brand) for brand in BRANDS}),
                "PORT": str(port),
            }
            environment = {f"ENTATIVA_PIN_OPERATOR_{key}": value for key, value in settings.items()}
            processes.start(name, [sys.executable, "-m", "pin_operator"], environment=environment)
            addresses.append(f"http://127.0.0.1:{port}")
        for address in addresses:
            await asyncio.to_thread(until, lambda: _answers(address), "an operator of PINs answers")  # noqa: B023
        yield addresses
    finally:
        for name in names:
            processes.stop(name)


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/health", timeout=10).is_success
    except httpx.HTTPError:
        return False
