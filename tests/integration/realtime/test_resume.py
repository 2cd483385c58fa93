"""Resuming: no event is lost or repeated, whatever fails between a push and a client."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import pytest

from actors.sessions import effects
from client.realtime import Event, RealtimeClient, Received, Resync
from features.live_sessions.store import JournalUnavailable
from tests.support.realtime_harness import RealtimeHarness

USER, PHONE, LAPTOP = UUID(int=1), UUID(int=2), UUID(int=3)


class Reader:
    """Reads a client in the background."""

    def __init__(self, client: RealtimeClient) -> None:
        self.client = client
        self.seen: list[Received] = []
        self._news = asyncio.Condition()
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for received in self.client:
            async with self._news:
                self.seen.append(received)
                self._news.notify_all()

    @property
    def numbers(self) -> list[int]:
        return [received.data["n"] for received in self.seen if isinstance(received, Event)]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(60), self._news:
            await self._news.wait_for(condition)

    async def until_seen(self, count: int) -> None:
        await self.until(lambda: len(self.numbers) >= count)

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.client.close()


@asynccontextmanager
async def reading(harness: RealtimeHarness, device: UUID = PHONE, **options: object) -> AsyncIterator[Reader]:
    reader = Reader(harness.client(USER, device, **options))
    try:
        await reader.until(lambda: len(reader.seen) > 0)
        yield reader
    finally:
        await reader.close()


async def push(harness: RealtimeHarness, first: int, last: int) -> None:
    for number in range(first, last + 1):
        await harness.sessions.push(USER, "note", {"n": number}, key=f"k{number}")


@pytest.mark.parametrize("subprotocol", ["realtime.v1.msgpack", "realtime.v1.json"])
async def test_every_device_sees_every_event_once_and_in_order(harness: RealtimeHarness, subprotocol: str) -> None:
    async with reading(harness, subprotocol=subprotocol) as phone, reading(harness, LAPTOP) as laptop:
        await push(harness, 1, 50)
        for reader in (phone, laptop):
            await reader.until_seen(50)
            assert reader.numbers == list(range(1, 51))
            assert reader.seen[0] == Resync("fresh")


async def test_an_event_pushed_again_under_its_key_is_not_doubled(harness: RealtimeHarness) -> None:
    async with reading(harness) as phone:
        await push(harness, 1, 3)
        await push(harness, 2, 4)
        await phone.until(lambda: 4 in phone.numbers)
        assert phone.numbers == [1, 2, 3, 4]


async def cut_connections(harness: RealtimeHarness) -> None:
    for host, _, _ in harness.hosts.values():
        for socket in list(host._sockets.values()):
            socket.abort()


async def replace_host(harness: RealtimeHarness) -> None:
    old = harness.url
    await harness.start_host()
    await harness.kill_host(old)


async def drain_host(harness: RealtimeHarness) -> None:
    old = harness.url
    await harness.start_host()
    await harness.drain_host(old)


async def crash_shards(harness: RealtimeHarness) -> None:
    await harness.crash_shards()


async def move_shards(harness: RealtimeHarness) -> None:
    await harness.move_shards()


DISTURBANCES = [cut_connections, replace_host, drain_host, crash_shards, move_shards]


@pytest.mark.parametrize("disturb", DISTURBANCES, ids=lambda disturb: disturb.__name__)
async def test_nothing_is_lost_or_doubled(
    harness: RealtimeHarness, disturb: Callable[[RealtimeHarness], Awaitable[None]]
) -> None:
    """While events flow, something breaks; the client goes on without a hole, a repetition or a resync."""
    async with reading(harness) as phone:
        pushing = asyncio.create_task(push(harness, 1, 200))
        await phone.until_seen(20)
        await disturb(harness)
        await phone.until_seen(100)
        await disturb(harness)
        await pushing
        await push(harness, 201, 205)
        await phone.until_seen(205)
        assert phone.numbers == list(range(1, 206))
        assert [received for received in phone.seen if isinstance(received, Resync)] == [Resync("fresh")]


async def test_a_device_that_was_away_resumes_where_it_was(harness: RealtimeHarness) -> None:
    async with reading(harness) as phone:
        await push(harness, 1, 5)
        await phone.until_seen(5)
        point = phone.client.resume_point
    await push(harness, 6, 9)
    await harness.crash_shards()
    async with reading(harness, resume=point) as phone:
        await phone.until_seen(4)
        assert phone.numbers == [6, 7, 8, 9]
        assert not any(isinstance(received, Resync) for received in phone.seen)


async def test_a_device_that_was_away_too_long_is_told_to_resync(harness: RealtimeHarness) -> None:
    async with reading(harness) as phone:
        await push(harness, 1, 1)
        await phone.until_seen(1)
        point = phone.client.resume_point
    await push(harness, 2, 700)
    async with reading(harness, resume=point) as phone:
        assert phone.seen[0] == Resync("too_old")
        await push(harness, 701, 702)
        await phone.until_seen(2)
        assert phone.numbers == [701, 702]
    async with reading(harness, resume=(str(uuid4()), 3)) as phone:
        assert phone.seen[0] == Resync("unknown_stream")


async def test_delivery_goes_on_while_redis_is_down_and_no_number_means_two_things(harness: RealtimeHarness) -> None:
    async with reading(harness) as phone:
        await push(harness, 1, 3)
        await phone.until_seen(3)
        await harness.redis.config_set("maxmemory", 1)
        try:
            await push(harness, 4, 6)
            await phone.until_seen(6)
        finally:
            await harness.redis.config_set("maxmemory", 0)
        await push(harness, 7, 9)
        await harness.crash_shards()
        await cut_connections(harness)
        await push(harness, 10, 12)
        await phone.until_seen(12)
        assert phone.numbers == list(range(1, 13))


async def test_a_journal_that_was_lost_is_whole_again_with_the_next_event(harness: RealtimeHarness) -> None:
    await harness.sessions.set_unread(USER, "inbox", 7)
    async with reading(harness) as phone:
        await push(harness, 1, 3)
        await phone.until_seen(3)
        await harness.redis.flushdb()
        await push(harness, 4, 5)
        await harness.crash_shards()
        await push(harness, 6, 6)
        await phone.until_seen(6)
        assert phone.numbers == [1, 2, 3, 4, 5, 6]
        assert await harness.sessions.unread(USER) == {"inbox": 7}


async def test_what_could_not_be_journaled_is_after_a_move(
    harness: RealtimeHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unavailable(_: object) -> bool:
        raise JournalUnavailable("Redis is being restarted")

    async with reading(harness):
        await push(harness, 1, 1)
        monkeypatch.setattr(harness.shards.handler._store, "write", unavailable)
        await harness.sessions.set_unread(USER, "inbox", 7)
        await harness.move_shards()
        await push(harness, 2, 2)
        await harness.crash_shards()
    assert await harness.sessions.unread(USER) == {"inbox": 7}


async def test_what_could_not_be_journaled_is_journaled_without_another_call(
    harness: RealtimeHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unavailable(_: object) -> bool:
        raise JournalUnavailable("Redis hiccups")

    monkeypatch.setattr(effects, "_SAVE_AGAIN_S", 0.05)
    await push(harness, 1, 1)
    with monkeypatch.context() as outage:
        outage.setattr(harness.shards.handler._store, "write", unavailable)
        await harness.sessions.set_unread(USER, "inbox", 7)
    async with asyncio.timeout(60):
        while await _state(harness) is None:
            await asyncio.sleep(0.02)
    await harness.crash_shards()
    assert await harness.sessions.unread(USER) == {"inbox": 7}


async def _state(harness: RealtimeHarness) -> Mapping[str, object] | None:
    stored = await harness.shards.handler._store.load(str(USER))
    return None if stored is None else stored.state


async def _journal_writes(harness: RealtimeHarness) -> int:
    statistics = await harness.redis.info("commandstats")
    return int(statistics.get("cmdstat_eval", {"calls": 0})["calls"])


async def test_nothing_is_journaled_for_who_never_had_a_socket(harness: RealtimeHarness) -> None:
    before = await _journal_writes(harness)
    await push(harness, 1, 20)
    assert await _journal_writes(harness) == before
    async with reading(harness) as phone:
        await push(harness, 21, 22)
        await phone.until_seen(2)
        assert phone.numbers == [21, 22]


async def test_for_who_cannot_resume_any_more_nothing_is_journaled_and_coming_back_is_a_resync(
    harness: RealtimeHarness,
) -> None:
    async with reading(harness) as phone:
        await push(harness, 1, 1)
        await phone.until_seen(1)
        point = phone.client.resume_point
    await harness.crash_shards()
    harness.set_policy(outbox_age_s=0.1)
    async with asyncio.timeout(60):
        while not (await _state(harness) or {}).get("closed"):
            await harness.sessions.push(USER, "note", {"n": 0})
            await asyncio.sleep(0.05)
    before = await _journal_writes(harness)
    await push(harness, 2, 30)
    assert await _journal_writes(harness) == before
    await harness.crash_shards()
    async with reading(harness, resume=point) as phone:
        assert phone.seen[0] == Resync("too_old")
        await push(harness, 31, 32)
        await phone.until_seen(2)
        assert phone.numbers == [31, 32]
