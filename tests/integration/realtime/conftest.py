from collections.abc import AsyncIterator

import pytest

from tests.support.realtime_harness import RealtimeHarness, open_harness
from tests.support.servers import Servers


@pytest.fixture
async def harness(servers: Servers, database_address: str) -> AsyncIterator[RealtimeHarness]:
    """One brand's live sessions over empty storage."""
    async with open_harness(servers, database_address) as opened:
        yield opened


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts look at every socket twice a second."""
    monkeypatch.setattr("actors.realtime.host._SWEEP_S", 0.5)
