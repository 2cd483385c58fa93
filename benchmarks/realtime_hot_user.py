"""How much later events reach their users (the 99th percentile) while one user, with nearly as many sockets as one may
have, is pushed to as fast as the stack takes it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from uuid import UUID

from benchmarks.figure import Figure, quantile
from benchmarks.size import sized

if TYPE_CHECKING:
    from benchmarks.stack.realtime_stack import Clients, RealtimeStack

FIGURES = ("realtime.hot_user_delay_ms",)

OTHERS = sized(300, 30)
RATE = sized(200, 50)
"""Events a second for the others, each for one of them."""
ROUNDS = sized(4, 1)
"""Each without and with the hot user: what else the machine does changes."""
SECONDS = sized(5, 1)
HOT_SOCKETS = 18
"""Six at each host; a user has twenty at most."""
HOT_IN_FLIGHT = 16
"""Pushes to the hot user that are not answered yet."""
_HOT = UUID(int=1 << 100)


def run(_wanted: Callable[[str], bool]) -> Iterator[Figure]:
    """Starts the stack, and measures without and with the hot user."""
    yield asyncio.run(_measure())


async def _measure() -> Figure:
    from benchmarks.stack.realtime_stack import HOSTS, realtime_stack

    users = [UUID(int=n + 1) for n in range(OTHERS)]
    hot_devices = [(_HOT, UUID(int=n + 1)) for n in range(HOT_SOCKETS)]
    processes: list[Clients] = []
    without: list[list[float]] = []
    beside: list[list[float]] = []
    rates: list[float] = []
    async with realtime_stack() as stack:
        try:
            for number, url in enumerate(stack.urls):
                calm = [(user, user) for user in users[number::HOSTS]]
                processes.append(await stack.clients(url, number, calm))
            for number, url in enumerate(stack.urls):
                processes.append(await stack.clients(url, HOSTS + number, hot_devices[number::HOSTS]))
            await asyncio.sleep(sized(2.0, 0.5))
            for _ in range(ROUNDS):
                without.append(await _latencies(stack, users, processes[:HOSTS]))
                async with _pushing(stack) as answered:
                    beside.append(await _latencies(stack, users, processes[:HOSTS]))
                rates.append(len(answered) / (answered[-1] - answered[0]))
        finally:
            for process in processes:
                process.stop()
    # The median of the rounds, since a round in which the machine stalls says nothing.
    p99, p99_without = ([quantile(some, 0.99) for some in rounds] for rounds in (beside, without))
    delays = [after - before for after, before in zip(p99, p99_without, strict=True)]
    extra = {
        "p99": quantile(p99, 0.5),
        "p99_without": quantile(p99_without, 0.5),
        "worst_round": max(delays),
        "hot_pushes_per_s": quantile(rates, 0.5),
        "hot_sockets": HOT_SOCKETS,
    }
    return Figure("realtime.hot_user_delay_ms", quantile(delays, 0.5), "ms", samples=ROUNDS, extra=extra)


async def _latencies(stack: RealtimeStack, users: list[UUID], processes: list[Clients]) -> list[float]:
    """Milliseconds from push to socket of RATE events a second, whatever becomes of them (an open loop)."""
    from benchmarks.stack.realtime_stack import received

    for process in processes:
        await process.report()
    tasks = []
    start = time.monotonic()
    for number in range(RATE * SECONDS):
        await asyncio.sleep(max(0.0, start + number / RATE - time.monotonic()))
        tasks.append(asyncio.create_task(_push(stack, users[number * 7919 % len(users)])))
    await asyncio.gather(*tasks)
    return (await received(processes, RATE * SECONDS))[0]


@asynccontextmanager
async def _pushing(stack: RealtimeStack) -> AsyncIterator[list[float]]:
    """Meanwhile the hot user is pushed to; yields when each push was answered."""
    answered: list[float] = []

    async def push() -> None:
        while True:
            await _push(stack, _HOT)
            answered.append(time.monotonic())

    tasks = [asyncio.create_task(push()) for _ in range(HOT_IN_FLIGHT)]
    try:
        yield answered
        for task in tasks:
            assert not task.done(), task.exception()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _push(stack: RealtimeStack, user: UUID) -> None:
    await stack.sessions.push(user, "bench", {"sent_ns": time.monotonic_ns(), "text": "x" * 100})
