from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from cluster.redis import open_redis
from tests.conftest import Servers
from tests.integration.realtime.cell import Cell, open_cell


@pytest.fixture
async def cell(servers: Servers, database_address: str) -> AsyncIterator[Cell]:
    """One brand's live sessions over empty storage."""
    redis = open_redis(servers.redis.address())
    await redis.flushdb()
    await redis.aclose()
    with TemporaryDirectory() as directory:  # short: paths of Unix sockets have at most 107 bytes
        async with open_cell(servers.redis.address(), database_address, Path(directory)) as opened:
            yield opened
