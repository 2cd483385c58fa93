"""No message is lost while parts of the platform are killed (`make loss` kills 500)."""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e.kills import KINDS
from tests.e2e.message_loss import lose
from tests.e2e.running import RunningPlatform

KILLS = 10


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_every_acknowledged_message_arrives_once_and_in_order(platform: RunningPlatform) -> None:
    outcome = await lose(platform, KILLS, seed=13)
    assert outcome.killed.total() == KILLS
    assert outcome.killed.keys() == set(KINDS)
    assert outcome.epochs > 1
    await asyncio.to_thread(platform.status)
