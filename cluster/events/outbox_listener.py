"""Waiting for events to be committed, instead of asking whether some were."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from cluster.cancellation import raise_if_cancelled
from cluster.events.outbox import CHANNEL
from cluster.storage_errors import DATABASE_ERRORS

if TYPE_CHECKING:
    from cluster.postgres import Database, PooledConnection


_CHECK_S = 2.0


class OutboxListener:
    """Hears of commits of all processes. A signal may be lost with the process that commits: poll, too."""

    def __init__(self, connection: PooledConnection) -> None:
        self._connection = connection
        self._heard = asyncio.Event()
        self.lost = False
        """Whether the connection has ended, so that nothing more is heard."""

    def clear(self) -> None:
        """Forgets what was heard."""
        self._heard.clear()

    async def wait(self, timeout_s: float) -> None:
        """Waits until events are committed, were since `clear`, or the connection ends; at most so long. Where nothing
        was heard for so long, makes sure that the connection works: one that is cut without a word ends nothing."""
        if self.lost:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._heard.wait()
                return
        try:
            async with asyncio.timeout(_CHECK_S):
                await self._connection.execute("select")
        except (TimeoutError, *DATABASE_ERRORS):
            raise_if_cancelled()
            self._connection.terminate()  # not closed: the server, which does not respond, would be waited for
            self.ended()

    def heard(self, *_: object) -> None:
        """Called for each signal."""
        self._heard.set()

    def ended(self, *_: object) -> None:
        """Called when the connection ends."""
        self.lost = True
        self._heard.set()


@asynccontextmanager
async def listen_to_outbox(database: Database) -> AsyncIterator[OutboxListener]:
    """Has a connection of the pool listen during the block. Raises DATABASE_ERRORS if there is none."""
    async with database.pool.acquire() as connection:
        listener = OutboxListener(connection)
        connection.add_termination_listener(listener.ended)
        try:
            await connection.add_listener(CHANNEL, listener.heard)
            yield listener
        finally:
            with suppress(*DATABASE_ERRORS):
                connection.remove_termination_listener(listener.ended)
                await connection.remove_listener(CHANNEL, listener.heard)
