"""Epochs of the key directory that are closed as time goes by, for clients in the process of the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import httpx

from api.app import create_app
from features.devices.directory_epochs import close_due_epoch
from tests.support.environment import Environment


@asynccontextmanager
async def directory_runs(environment: Environment) -> AsyncIterator[dict[str, Any]]:
    """Yields the options of the accounts of clients."""

    async def close() -> None:
        while True:
            environment.clock.advance(timedelta(seconds=1))
            await close_due_epoch(environment.platform, environment.clock())
            await asyncio.sleep(0.05)

    await close_due_epoch(environment.platform, environment.clock())
    task = asyncio.create_task(close())
    try:
        yield {
            "clock": lambda: int(environment.clock().timestamp() * 1000),
            "transport": httpx.ASGITransport(app=create_app(environment.platform), raise_app_exceptions=False),
        }
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
