"""Where groups are checked: in few threads, so that large changes do not take a gateway's time from everybody."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from cluster.cancellation import run_to_completion
from features.groups.errors import GroupChecksBusy
from features.groups.policy import GroupsPolicy

P = ParamSpec("P")
T = TypeVar("T")


class CheckSlots:
    """The checks of one process."""

    def __init__(self, policy: GroupsPolicy) -> None:
        self._slots = asyncio.Semaphore(policy.checks_at_once)
        self._max_waiting = policy.checks_waiting
        self._waiting = 0

    async def run(self, work: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> T:
        """Returns what `work` returns, from a thread, once there is a slot. A cancelled request keeps its slot as long
        as the thread is busy. Raises GroupChecksBusy if too many wait already."""
        if self._slots.locked() and self._waiting >= self._max_waiting:
            raise GroupChecksBusy(retry_after_s=1)
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        try:
            return await run_to_completion(asyncio.to_thread(work, *arguments, **named))
        finally:
            self._slots.release()
