"""Whom the newest records of the log wake, and when."""

import asyncio
from datetime import UTC, datetime

import pytest

from cluster.events import tail as module
from cluster.events.event import Event
from cluster.events.log import Partition, Record
from cluster.events.tail import PASS_RECORDS, Tail
from tests.support.memory_log import MemoryEventLog

HERE = Partition("things", 0)
NOW = datetime(2026, 11, 27, tzinfo=UTC)


class Setting:
    """A tail, one listener for each of two types, and what has been appended."""

    def __init__(self) -> None:
        self.log = MemoryEventLog("test")
        self.tail = Tail(self.log)
        self.made, self.lost = asyncio.Event(), asyncio.Event()
        self.tail.listen(self.made, {"things.made"})
        self.tail.listen(self.lost, {"things.lost"})
        self.tail.follow({HERE: 0})
        self.sleep()
        self.last = 0

    def sleep(self) -> None:
        self.made.clear()
        self.lost.clear()

    async def append(self, type: str, count: int = 1) -> None:
        first = self.last + 1
        records = [
            Record(HERE, position, Event.now(type, "key", {}, now=NOW)) for position in range(first, first + count)
        ]
        await self.log.append(records, after=self.last, position=records[-1].position)
        self.last = records[-1].position
        assert await self.tail.read() == count


async def test_only_who_wants_a_record_is_woken_at_once() -> None:
    setting = Setting()
    await setting.append("things.made")
    assert setting.made.is_set()
    assert not setting.lost.is_set()


async def test_the_others_are_woken_before_records_are_dropped_that_they_have_not_passed() -> None:
    setting = Setting()
    await setting.append("things.made", PASS_RECORDS - 1)
    assert not setting.lost.is_set()
    await setting.append("things.made")
    assert setting.lost.is_set()
    batch = await setting.tail.take({HERE: 0}, PASS_RECORDS)
    assert len(batch.records) == PASS_RECORDS, "none is dropped yet"


async def test_the_others_are_woken_soon_where_few_records_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PASS_S", 0.01)
    setting = Setting()
    await setting.append("things.made")
    async with asyncio.timeout(60):
        await setting.lost.wait()
    setting.sleep()
    await setting.append("things.made")
    async with asyncio.timeout(60):
        await setting.lost.wait()
