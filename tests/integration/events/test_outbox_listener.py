"""Waiting for signals, and a connection that nothing comes through any more."""

from __future__ import annotations

import os
import signal

import pytest

from cluster.events import outbox_listener
from cluster.events.outbox import CHANNEL
from cluster.events.outbox_listener import OutboxListener, listen_to_outbox
from cluster.postgres import connect_database


async def test_a_connection_that_is_silently_dead_is_noticed_and_one_that_is_quiet_goes_on(
    database_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_listener, "_CHECK_S", 0.5)
    async with connect_database(database_address) as database:
        async with listen_to_outbox(database) as listener:
            await listener.wait(0.01)
            assert not _lost(listener)
            await database.pool.execute(f"notify {CHANNEL}")
            await listener.wait(60)
            listener.clear()

            server = await database.pool.fetchval("select pid from pg_stat_activity where query = 'select'")
            os.kill(server, signal.SIGSTOP)  # like a network that is cut: the connection stays, and nobody responds
            try:
                await listener.wait(0.01)
            finally:
                os.kill(server, signal.SIGCONT)
            assert _lost(listener)
            await listener.wait(60)  # returns at once
        async with listen_to_outbox(database) as listener:
            await database.pool.execute(f"notify {CHANNEL}")
            await listener.wait(60)
            assert not _lost(listener)


def _lost(listener: OutboxListener) -> bool:
    return listener.lost
