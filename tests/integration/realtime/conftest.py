from collections.abc import AsyncIterator

import pytest

from tests.conftest import Servers
from tests.integration.realtime.cell import Cell, fresh_cell


@pytest.fixture
async def cell(servers: Servers, database_address: str) -> AsyncIterator[Cell]:
    """One brand's live sessions over empty storage."""
    async with fresh_cell(servers, database_address) as opened:
        yield opened
