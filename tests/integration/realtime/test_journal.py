"""The journal in Redis: one writer, and its retention."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from cluster.redis import Redis, open_redis
from features.live_sessions.outbox import Entry
from features.live_sessions.policy import LiveSessionPolicy
from features.live_sessions.store import JournalStore, StaleJournal, Write
from features.realtime.events import Item
from tests.support.servers import Servers

POLICY = LiveSessionPolicy()


@pytest.fixture
async def redis(servers: Servers) -> AsyncIterator[Redis]:
    client = open_redis(servers.redis.address())
    await client.flushdb()
    yield client
    await client.aclose()


def _write(found: str, stream: str, known: int = 0, last: int = 0, **state: object) -> Write:
    entries = [Entry(seq, stream, "", Item("k", 0, b"")) for seq in range(known + 1, last + 1)]
    return Write("u", found, stream, known, last, 1, entries, {"forks": {}, **state} if state else None)


async def test_a_writer_whose_successor_has_written_is_refused_even_without_events(redis: Redis) -> None:
    store = JournalStore(redis, "brand", POLICY)
    await store.write(_write("", "first", unread=1))
    await store.write(_write("first", "first", unread=2))
    await store.write(_write("first", "second", unread=3))
    with pytest.raises(StaleJournal):
        await store.write(_write("", "first", unread=4))
    with pytest.raises(StaleJournal):
        await store.write(_write("", "third", unread=5))  # it was made while Redis was away
    await store.write(_write("first", "second", unread=6))
    stored = await store.load("u")
    assert stored is not None
    assert (stored.stream, stored.state) == ("second", {"forks": {}, "unread": 6})


async def test_events_go_when_no_resume_needs_them_and_the_state_stays(redis: Redis) -> None:
    store = JournalStore(redis, "brand", replace(POLICY, outbox_age_s=0.05))
    await store.write(_write("", "s", 0, 3, unread=7))
    async with asyncio.timeout(60):
        while (stored := await store.load("u")) is None or stored.entries:
            await asyncio.sleep(0.02)
    assert (stored.last, stored.state) == (3, {"forks": {}, "unread": 7})
    await store.write(_write("s", "t", 3, 4))
    stored = await store.load("u")
    assert stored is not None
    assert [entry.seq for entry in stored.entries] == [4]
