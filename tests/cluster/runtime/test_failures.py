"""What dies is replaced, what was acknowledged is stored once, and nobody writes who no longer may."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections import Counter

import psutil
import pytest

from actors.runtime.errors import RuntimeFault
from actors.runtime.shards import shard_of
from tests.cluster.conftest import Platform, RunningRuntime, eventually, running


async def lines(runtime: RunningRuntime) -> Counter[str]:
    """Every stored operation and how often it is there."""
    rows = await runtime.store._pool.fetch("SELECT operation FROM book_lines")
    return Counter(row["operation"] for row in rows)


async def append(runtime: RunningRuntime, book: str, operation: str, timeout: float = 60.0) -> int:
    reply: int = await runtime.router.call("book", book, operation, timeout=timeout)
    return reply


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


async def test_a_host_that_crashes_is_replaced_and_its_books_are_as_acknowledged(runtime: RunningRuntime) -> None:
    for n in range(40):
        await append(runtime, f"b{n % 10}", f"before {n}")
    victim = await runtime.owner("book", shard_of("b0"))
    under_way = [asyncio.create_task(append(runtime, f"b{n}", f"during {n}")) for n in range(10)]
    kill(await runtime.pid(victim))
    await asyncio.gather(*under_way)
    for n in range(10):
        await append(runtime, f"b{n}", f"after {n}")
    stored = await lines(runtime)
    assert set(stored) == {
        *(f"before {n}" for n in range(40)),
        *(f"{w} {n}" for n in range(10) for w in ("during", "after")),
    }
    assert set(stored.values()) == {1}
    read = await runtime.router.call("book", "b0", "read", timeout=60)
    assert read == [*(f"before {n}" for n in range(0, 40, 10)), "during 0", "after 0"]


async def test_the_leader_may_crash_and_the_next_failure_is_still_mended(runtime: RunningRuntime) -> None:
    await append(runtime, "b", "one")
    kill(await runtime.pid(await runtime.leader()))
    await append(runtime, "b", "two", timeout=5)
    kill(await runtime.pid(await runtime.owner("book", shard_of("b"))))
    await append(runtime, "b", "three")
    assert await runtime.router.call("book", "b", "read", timeout=60) == ["one", "two", "three"]


async def test_a_zombie_s_open_transaction_is_refused_and_the_operation_is_there_once(
    platform: Platform, database_address: str
) -> None:
    """A host stops dead inside a turn's transaction, is replaced, and wakes up to commit."""
    async with running(database_address, config={"slow": 0.5}) as runtime:
        await append(runtime, "b", "one")
        name = await runtime.owner("book", shard_of("b"))
        pid = await runtime.pid(name)
        turn = asyncio.create_task(append(runtime, "b", "two"))
        await asyncio.sleep(0.25)
        os.kill(pid, signal.SIGSTOP)
        try:
            await turn
            assert await runtime.owner("book", shard_of("b")) != name
        finally:
            os.kill(pid, signal.SIGCONT)
        # Awake again, it tries to commit; it must hear that it was replaced, and come back as someone new.
        await eventually(lambda: _incarnations(runtime, name))
        await append(runtime, "b", "three")
        assert await runtime.router.call("book", "b", "read", timeout=60) == ["one", "two", "three"]
        assert await lines(runtime) == Counter(["one", "two", "three"])
        epochs = await runtime.store._pool.fetch("SELECT epoch FROM book_lines ORDER BY number")
        assert [row["epoch"] for row in epochs] == sorted(row["epoch"] for row in epochs)


async def _incarnations(runtime: RunningRuntime, name: str) -> bool:
    return any(row.name == name for row in await runtime.hosts())


@pytest.mark.slow
async def test_random_kills_lose_and_double_nothing(platform: Platform, database_address: str) -> None:
    """Hosts crash and freeze and leaders crash at random while books are written; the history is checked."""
    chance = random.Random(20_261_122)
    async with running(database_address, hosts=3) as runtime:
        acknowledged: list[str] = []
        attempted: list[str] = []
        until = time.monotonic() + 20

        async def write(worker: int) -> None:
            number = 0
            while time.monotonic() < until:
                number += 1
                operation = f"{worker}-{number}"
                attempted.append(operation)
                with contextlib.suppress(RuntimeFault):
                    await append(runtime, f"book {chance.randrange(12)}", operation, timeout=20)
                    acknowledged.append(operation)
                await asyncio.sleep(0.01)

        async def harm() -> None:
            frozen: list[int] = []
            while time.monotonic() < until:
                await asyncio.sleep(chance.uniform(1.0, 3.0))
                for pid in frozen:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGCONT)
                frozen.clear()
                what = chance.choice(["crash", "freeze", "leader"])
                with contextlib.suppress(Exception):
                    if what == "leader":
                        kill(await asyncio.wait_for(_pid(runtime, await runtime.leader()), 1))
                    else:
                        host = chance.choice(await runtime.hosts()).name
                        pid = await asyncio.wait_for(_pid(runtime, host), 1)
                        os.kill(pid, signal.SIGSTOP if what == "freeze" else signal.SIGKILL)
                        if what == "freeze":
                            frozen.append(pid)
            for pid in frozen:
                with contextlib.suppress(ProcessLookupError):
                    psutil.Process(pid).resume()

        await asyncio.gather(harm(), *(write(n) for n in range(8)))
        # Calls whose caller gave up may still be carried out; nothing may be there twice.
        assert len(await runtime.router.call("book", "book 0", "read", timeout=60)) >= 1
        stored = await lines(runtime)
        assert len(acknowledged) > 20, "the runtime was hardly ever there"
        assert not [operation for operation in acknowledged if stored[operation] != 1]
        assert set(stored) <= set(attempted)
        assert set(stored.values()) == {1}
        rows = await runtime.store._pool.fetch("SELECT book, epoch FROM book_lines ORDER BY number")
        seen: dict[str, int] = {}
        for row in rows:
            assert row["epoch"] >= seen.get(row["book"], 0), "an older epoch wrote after a newer one"
            seen[row["book"]] = row["epoch"]
        for book in {row["book"] for row in rows}:
            read = await runtime.router.call("book", book, "read", timeout=60)
            assert Counter(read) == Counter(
                r["operation"]
                for r in await runtime.store._pool.fetch("SELECT operation FROM book_lines WHERE book = $1", book)
            )


async def _pid(runtime: RunningRuntime, actor: str) -> int:
    return await runtime.pid(actor)


async def test_a_node_that_is_lost_takes_nothing_acknowledged_with_it(
    platform: Platform, database_address: str
) -> None:
    async with running(database_address) as runtime:
        for n in range(20):
            await append(runtime, f"b{n}", f"before {n}")
        (victim, *_), survivors = await runtime.hosts(), len(await runtime.hosts()) - 1
        assert survivors
        under_way = [asyncio.create_task(append(runtime, f"b{n}", f"during {n}")) for n in range(20)]
        await asyncio.to_thread(platform.kill_worker, victim.node)
        try:
            await asyncio.gather(*under_way)
            for n in range(20):
                await append(runtime, f"b{n}", f"after {n}")
            stored = await lines(runtime)
            assert set(stored) == {f"{when} {n}" for n in range(20) for when in ("before", "during", "after")}
            assert set(stored.values()) == {1}
        finally:
            await asyncio.to_thread(platform.add_worker)
