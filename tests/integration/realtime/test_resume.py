"""Nothing lost and nothing twice, whatever dies between a push and a client."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import pytest

from actors.sessions import effects
from client.realtime import Event, RealtimeClient, Received, Resync
from features.live_sessions.store import JournalUnavailable
from tests.integration.realtime.cell import Cell

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
        async with asyncio.timeout(20), self._news:
            await self._news.wait_for(condition)

    async def until_seen(self, count: int) -> None:
        await self.until(lambda: len(self.numbers) >= count)

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.client.close()


@asynccontextmanager
async def reading(cell: Cell, device: UUID = PHONE, **options: object) -> AsyncIterator[Reader]:
    reader = Reader(cell.client(USER, device, **options))
    try:
        await reader.until(lambda: len(reader.seen) > 0)
        yield reader
    finally:
        await reader.close()


async def push(cell: Cell, first: int, last: int) -> None:
    for number in range(first, last + 1):
        await cell.sessions.push(USER, "note", {"n": number}, key=f"k{number}")


@pytest.mark.parametrize("subprotocol", ["realtime.v1.msgpack", "realtime.v1.json"])
async def test_every_device_sees_every_event_once_and_in_order(cell: Cell, subprotocol: str) -> None:
    async with reading(cell, subprotocol=subprotocol) as phone, reading(cell, LAPTOP) as laptop:
        await push(cell, 1, 50)
        for reader in (phone, laptop):
            await reader.until_seen(50)
            assert reader.numbers == list(range(1, 51))
            assert reader.seen[0] == Resync("fresh")


async def test_an_event_pushed_again_under_its_key_is_not_doubled(cell: Cell) -> None:
    async with reading(cell) as phone:
        await push(cell, 1, 3)
        await push(cell, 2, 4)
        await phone.until(lambda: 4 in phone.numbers)
        assert phone.numbers == [1, 2, 3, 4]


async def cut_connections(cell: Cell) -> None:
    for host, _, _ in cell.hosts.values():
        for socket in list(host._sockets.values()):
            socket.abort()


async def replace_host(cell: Cell) -> None:
    old = cell.url
    await cell.start_host()
    await cell.kill_host(old)


async def drain_host(cell: Cell) -> None:
    old = cell.url
    await cell.start_host()
    await cell.drain_host(old)


async def crash_shards(cell: Cell) -> None:
    await cell.crash_shards()


async def move_shards(cell: Cell) -> None:
    await cell.move_shards()


DISTURBANCES = [cut_connections, replace_host, drain_host, crash_shards, move_shards]


@pytest.mark.parametrize("disturb", DISTURBANCES, ids=lambda disturb: disturb.__name__)
async def test_nothing_is_lost_or_doubled(cell: Cell, disturb: Callable[[Cell], Awaitable[None]]) -> None:
    """While events flow, something breaks; the client goes on without a hole, a repetition or a resync."""
    async with reading(cell) as phone:
        pushing = asyncio.create_task(push(cell, 1, 200))
        await phone.until_seen(20)
        await disturb(cell)
        await phone.until_seen(100)
        await disturb(cell)
        await pushing
        await push(cell, 201, 205)
        await phone.until_seen(205)
        assert phone.numbers == list(range(1, 206))
        assert [received for received in phone.seen if isinstance(received, Resync)] == [Resync("fresh")]


async def test_a_device_that_was_away_resumes_where_it_was(cell: Cell) -> None:
    async with reading(cell) as phone:
        await push(cell, 1, 5)
        await phone.until_seen(5)
        point = phone.client.resume_point
    await push(cell, 6, 9)
    await cell.crash_shards()
    async with reading(cell, resume=point) as phone:
        await phone.until_seen(4)
        assert phone.numbers == [6, 7, 8, 9]
        assert not any(isinstance(received, Resync) for received in phone.seen)


async def test_a_device_that_was_away_too_long_is_told_to_resync(cell: Cell) -> None:
    async with reading(cell) as phone:
        await push(cell, 1, 1)
        await phone.until_seen(1)
        point = phone.client.resume_point
    await push(cell, 2, 700)
    async with reading(cell, resume=point) as phone:
        assert phone.seen[0] == Resync("too_old")
        await push(cell, 701, 702)
        await phone.until_seen(2)
        assert phone.numbers == [701, 702]
    async with reading(cell, resume=(str(uuid4()), 3)) as phone:
        assert phone.seen[0] == Resync("unknown_stream")


async def test_delivery_goes_on_while_redis_is_down_and_no_number_means_two_things(cell: Cell) -> None:
    async with reading(cell) as phone:
        await push(cell, 1, 3)
        await phone.until_seen(3)
        await cell.redis.config_set("maxmemory", 1)
        try:
            await push(cell, 4, 6)
            await phone.until_seen(6)
        finally:
            await cell.redis.config_set("maxmemory", 0)
        await push(cell, 7, 9)
        await cell.crash_shards()
        await cut_connections(cell)
        await push(cell, 10, 12)
        await phone.until_seen(12)
        assert phone.numbers == list(range(1, 13))


async def test_a_journal_that_was_lost_is_whole_again_with_the_next_event(cell: Cell) -> None:
    await cell.sessions.set_unread(USER, "inbox", 7)
    async with reading(cell) as phone:
        await push(cell, 1, 3)
        await phone.until_seen(3)
        await cell.redis.flushdb()
        await push(cell, 4, 5)
        await cell.crash_shards()
        await push(cell, 6, 6)
        await phone.until_seen(6)
        assert phone.numbers == [1, 2, 3, 4, 5, 6]
        assert await cell.sessions.unread(USER) == {"inbox": 7}


async def test_what_could_not_be_journaled_is_after_a_move(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    async def unavailable(_: object) -> bool:
        raise JournalUnavailable("Redis is being restarted")

    await push(cell, 1, 1)
    monkeypatch.setattr(cell.shards.handler._store, "write", unavailable)
    await cell.sessions.set_unread(USER, "inbox", 7)
    await cell.move_shards()
    await push(cell, 2, 2)
    await cell.crash_shards()
    assert await cell.sessions.unread(USER) == {"inbox": 7}


async def test_what_could_not_be_journaled_is_journaled_without_another_call(
    cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unavailable(_: object) -> bool:
        raise JournalUnavailable("Redis hiccups")

    monkeypatch.setattr(effects, "_SAVE_AGAIN_S", 0.05)
    await push(cell, 1, 1)
    with monkeypatch.context() as outage:
        outage.setattr(cell.shards.handler._store, "write", unavailable)
        await cell.sessions.set_unread(USER, "inbox", 7)
    async with asyncio.timeout(20):
        while (stored := await cell.shards.handler._store.load(str(USER))) is None or stored.last < 2:
            await asyncio.sleep(0.02)
    await cell.crash_shards()
    assert await cell.sessions.unread(USER) == {"inbox": 7}
