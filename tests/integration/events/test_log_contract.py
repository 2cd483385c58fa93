"""What every implementation of the event log does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from cluster.events.event import Event
from cluster.events.log import EventLog, Partition, Record
from cluster.events.redis_log import open_redis_log
from cluster.redis import Redis
from tests.support.memory_log import MemoryEventLog
from tests.support.servers import Servers

ONE, TWO = Partition("things", 0), Partition("things", 1)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(params=["redis", "memory"])
async def any_log(request: pytest.FixtureRequest, redis: Redis, servers: Servers) -> AsyncIterator[EventLog]:
    if request.param == "memory":
        yield MemoryEventLog("test")
        return
    async with open_redis_log(redis, servers.redis.address(), "test") as log:
        yield log


def records(*positions: int, partition: Partition = ONE) -> list[Record]:
    return [
        Record(partition, position, Event.now("things.made", "key", {}, now=BEGIN + timedelta(seconds=position)))
        for position in positions
    ]


async def found(log: EventLog, partition: Partition = ONE, after: int = 0) -> list[int]:
    return [one.position for one in (await log.read({partition: after}, count=100)).records.get(partition, [])]


async def test_records_come_back_as_they_were_appended(any_log: EventLog) -> None:
    appended = [*records(1, 4), *records(5, partition=TWO)]
    assert await any_log.append(appended, after=0, position=5) == 5
    fetched = await any_log.read({ONE: 0, TWO: 0}, count=100)
    assert fetched.records == {ONE: appended[:2], TWO: appended[2:]}
    assert (fetched.last, await any_log.position(), await any_log.topics()) == (5, 5, {"things"})


async def test_reading_goes_on_after_a_position(any_log: EventLog) -> None:
    await any_log.append(records(1, 4, 6), after=0, position=6)
    assert await found(any_log, after=1) == [4, 6]
    assert await found(any_log, after=5) == [6]
    assert await found(any_log, after=6) == []


async def test_a_limit_holds_for_each_partition(any_log: EventLog) -> None:
    await any_log.append([*records(1, 2, 3), *records(4, 5, 6, partition=TWO)], after=0, position=6)
    fetched = await any_log.read({ONE: 0, TWO: 0}, count=2)
    assert [len(fetched.records[each]) for each in (ONE, TWO)] == [2, 2]


async def test_nothing_is_appended_after_another_position(any_log: EventLog) -> None:
    await any_log.append(records(1), after=0, position=1)
    assert await any_log.append(records(2), after=0, position=2) == 1
    assert await found(any_log) == [1]


async def test_the_position_may_move_without_records(any_log: EventLog) -> None:
    assert await any_log.append([], after=0, position=7) == 7
    assert await any_log.append(records(8), after=7, position=8) == 8
    assert await found(any_log) == [8]


async def test_waiting_ends_with_the_first_record(any_log: EventLog) -> None:
    async def append_later() -> None:
        await any_log.append(records(3), after=0, position=3)

    appending = asyncio.create_task(append_later())
    got: list[Record] = []
    while not got:
        got = (await any_log.wait({ONE: 0, TWO: 0}, count=10, wait_s=5)).get(ONE, [])
    await appending
    assert [one.position for one in got] == [3]
    assert await any_log.wait({ONE: 3, TWO: 0}, count=10, wait_s=0.01) == {}


@pytest.mark.parametrize(("seconds", "position"), [(0, 0), (1, 0), (2, 1), (4, 1), (4.5, 4), (9, 7), (99, 9)])
async def test_a_time_is_found(any_log: EventLog, seconds: float, position: int) -> None:
    await any_log.append(records(1, 4, 7, 9), after=0, position=9)
    assert await any_log.position_at(ONE, BEGIN + timedelta(seconds=seconds)) == position
    assert await any_log.position_at(TWO, BEGIN + timedelta(seconds=seconds)) == 0


async def test_trimming_keeps_what_is_at_and_after_a_position(any_log: EventLog) -> None:
    await any_log.append(records(*range(1, 1001)), after=0, position=1000)
    await any_log.trim({ONE: 900, TWO: 3})
    first = (await any_log.read({ONE: 0}, count=1)).records[ONE][0].position
    assert 700 <= first <= 900, "perhaps a few less than all of them"
    assert await found(any_log, after=899) == list(range(900, 1000))


async def test_space_is_a_share(any_log: EventLog) -> None:
    assert 0 <= await any_log.fill_share() < 1
