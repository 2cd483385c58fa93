"""Consumers that are behind get more replicas from Serve."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg

from cluster.ids import new_id
from cluster.postgres import connect_database
from features.events import publish
from features.posts.events import PollVoted
from tests.e2e.running import RunningPlatform

APPLICATION = "entativa-consumers"

SLOW = """
create function slow_offsets() returns trigger language plpgsql as 'begin perform pg_sleep(1); return null; end';
create trigger slow_offsets before update on event_offsets for each statement execute function slow_offsets();
"""
USUAL = "drop trigger slow_offsets on event_offsets; drop function slow_offsets"


async def test_lag_brings_another_replica(platform: RunningPlatform) -> None:
    """Each batch takes a second, of events that are half an hour old: enough for a replica, not for an alarm."""
    address = platform.installation.databases()["entativa"]
    assert len(platform.replicas(APPLICATION)) == 1
    connection = await asyncpg.connect(address)
    await connection.execute(SLOW)
    try:
        async with connect_database(address) as database, asyncio.timeout(120):
            while len(await asyncio.to_thread(platform.replicas, APPLICATION)) == 1:
                async with database.unit_of_work() as uow:
                    old = datetime.now(UTC) - timedelta(minutes=30)
                    publish(uow, PollVoted(new_id(old)), old)  # has a transaction, in which the offset moves
                    await uow.commit()
                await asyncio.sleep(0.2)
    finally:
        await connection.execute(USUAL)
        await connection.close()
