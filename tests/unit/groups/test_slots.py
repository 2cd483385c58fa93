"""Checks of changes take few threads, and refuse what would wait too long."""

import asyncio
import threading
from dataclasses import replace

import pytest

from features.groups.errors import GroupChecksBusy
from features.groups.policy import GroupsPolicy
from features.groups.slots import CheckSlots


async def test_few_run_and_few_wait() -> None:
    slots = CheckSlots(replace(GroupsPolicy(), checks_at_once=1, checks_waiting=1))
    begun, go_on = threading.Event(), threading.Event()

    def work(number: int) -> int:
        begun.set()
        assert go_on.wait(60)
        return number

    running = [asyncio.create_task(slots.run(work, number)) for number in range(2)]
    assert await asyncio.to_thread(begun.wait, 60)
    with pytest.raises(GroupChecksBusy):
        await slots.run(work, 2)
    go_on.set()
    assert await asyncio.gather(*running) == [0, 1]
    assert await slots.run(work, 3) == 3, "a slot is free again"
