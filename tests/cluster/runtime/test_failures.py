"""What dies is replaced, what was acknowledged is stored once, and nobody writes who no longer may."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import signal
import time
from collections import Counter

import pytest
from ray.exceptions import RayError

from actors.runtime.coordination.ray_nodes import drain_node
from actors.runtime.errors import CallError
from actors.runtime.shard_map import shard_of
from tests.cluster.conftest import Platform, RunningRuntime, eventually, running
from tests.cluster.runtime.books import append
from tests.support.servers import Servers, fresh_database


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


async def test_a_host_that_crashes_is_replaced_and_its_books_are_as_acknowledged(
    platform: Platform, runtime: RunningRuntime
) -> None:
    for n in range(40):
        await append(runtime.router, f"crash{n % 10}", f"before {n}")
    victim = (await runtime.row("book", shard_of("crash0"))).host
    pid = await runtime.pid(victim.rpartition(".")[0])
    under_way = [asyncio.create_task(append(runtime.router, f"crash{n}", f"during {n}")) for n in range(10)]
    await asyncio.sleep(0)
    kill(pid)
    await asyncio.gather(*under_way)
    for n in range(10):
        await append(runtime.router, f"crash{n}", f"after {n}")
    stored = await runtime.lines("crash")
    assert set(stored) == {
        *(f"before {n}" for n in range(40)),
        *(f"{w} {n}" for n in range(10) for w in ("during", "after")),
    }
    assert set(stored.values()) == {1}
    read = await runtime.router.call("book", "crash0", "read", timeout=60)
    assert read == [*(f"before {n}" for n in range(0, 40, 10)), "during 0", "after 0"]
    # Neither the end of its lease nor its next incarnation was waited for.
    assert await eventually(lambda: _why_declared_dead(platform, victim)) == "process ended"


def _why_declared_dead(platform: Platform, host: str) -> str | None:
    """What the leader logged, as soon as it has."""
    for file in platform.nodes.folder.glob("session_*/logs/worker-*"):
        for line in file.read_text(errors="replace").splitlines():
            if host in line and (found := re.search(r'"cause": ?"([a-z ]+)"', line)):
                return found[1]
    return None


async def test_timers_that_are_due_while_their_hosts_crash_fire_once_each(runtime: RunningRuntime) -> None:
    # Where this process stalls meanwhile, all may have fired before any host crashes, and it tries again.
    for attempt in range(5):
        if await _crashes_while_timers_are_due(runtime, f"timed{attempt}-"):
            return
    raise AssertionError("all timers had fired before a host crashed")


async def _crashes_while_timers_are_due(runtime: RunningRuntime, name: str) -> bool:
    """Whether hosts crashed before all timers had fired. Either way each fires once."""
    jars, coins = [f"{name}{n}" for n in range(20)], list(range(20))
    due = time.time() + 2.0
    # Spread over seconds, so that some are due before, some after, and some while nobody has their shard.
    sets = [
        runtime.router.call("jar", jar, ["at", due + 0.5 * coin + 0.01 * n, coin], timeout=60)
        for n, jar in enumerate(jars)
        for coin in coins
    ]
    await asyncio.gather(*sets)
    await eventually(lambda: _fired(runtime, name))
    met = False
    for row in await runtime.hosts():
        kill(await runtime.pid(row.name))
        met = met or not await _all_fired(runtime, name)
        await asyncio.sleep(1.0)
    await eventually(lambda: _all_fired(runtime, name), timeout=120)
    kept = await asyncio.gather(*(runtime.router.call("jar", jar, "read", timeout=60) for jar in jars))
    assert [sorted(each) for each in kept] == [coins] * len(jars)
    return met


async def _fired(runtime: RunningRuntime, jars: str) -> bool:
    """Whether one of these jars has a coin."""
    return bool(
        await runtime.store._pool.fetchval("SELECT count(*) FROM entity_snapshots WHERE starts_with(entity, $1)", jars)
    )


async def _all_fired(runtime: RunningRuntime, jars: str) -> bool:
    return not await runtime.store._pool.fetchval(
        "SELECT count(*) FROM entity_timers WHERE starts_with(entity, $1)", jars
    )


async def test_the_leader_may_crash_and_the_next_failure_is_still_mended(runtime: RunningRuntime) -> None:
    await append(runtime.router, "led", "one")
    kill(await runtime.pid(await runtime.leader()))
    await append(runtime.router, "led", "two")
    kill(await runtime.pid(await runtime.owner("book", shard_of("led"))))
    await append(runtime.router, "led", "three")
    assert await runtime.router.call("book", "led", "read", timeout=60) == ["one", "two", "three"]


async def test_a_zombie_s_open_transaction_is_refused_and_the_operation_is_there_once(runtime: RunningRuntime) -> None:
    """A host stops dead inside a turn's transaction, is replaced, and wakes up to commit."""
    # Where the test or the host stalls at the wrong moment, it meets no host in a transaction, and tries again.
    for attempt in range(10):
        if await _becomes_a_zombie(runtime, f"zombie{attempt}"):
            return
    raise AssertionError("no host was met in a transaction")


async def _becomes_a_zombie(runtime: RunningRuntime, book: str) -> bool:
    """Whether the book's host was met in a transaction. Either way nothing may be lost or doubled."""
    await append(runtime.router, book, "one")
    name = await runtime.owner("book", shard_of(book))
    pid = await runtime.pid(name)
    turn = asyncio.create_task(append(runtime.router, book, "two", slowly=True))

    async def has_begun() -> bool:
        return turn.done() or await _in_a_transaction(runtime)

    await eventually(has_begun)
    os.kill(pid, signal.SIGSTOP)
    try:
        met = await _in_a_transaction(runtime)
        await turn
        assert not met or await runtime.owner("book", shard_of(book)) != name
    finally:
        os.kill(pid, signal.SIGCONT)
    # Awake again, it tries to commit; it must hear that it was replaced, and come back as someone new.
    await eventually(lambda: _is_back(runtime, name))
    await append(runtime.router, book, "three")
    assert await runtime.router.call("book", book, "read", timeout=60) == ["one", "two", "three"]
    assert await runtime.lines(book) == Counter(["one", "two", "three"])
    assert await _epochs_are_in_order(runtime, book)
    return met


async def _in_a_transaction(runtime: RunningRuntime) -> bool:
    """Whether a turn's transaction is open and has written its line."""
    open_transactions: int = await runtime.store._pool.fetchval(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND state = 'idle in transaction' AND query LIKE '%book_lines%'"
    )
    return open_transactions > 0


async def _is_back(runtime: RunningRuntime, name: str) -> bool:
    return any(row.name == name for row in await runtime.hosts())


async def _epochs_are_in_order(runtime: RunningRuntime, books: str) -> bool:
    """Whether no older owner wrote after a newer one."""
    rows = await runtime.store._pool.fetch(
        "SELECT book, epoch FROM book_lines WHERE starts_with(book, $1) ORDER BY number", books
    )
    by_book: dict[str, list[int]] = {}
    for row in rows:
        by_book.setdefault(row["book"], []).append(row["epoch"])
    return all(epochs == sorted(epochs) for epochs in by_book.values())


@pytest.mark.slow
async def test_random_kills_lose_and_double_nothing(runtime: RunningRuntime) -> None:
    """Hosts crash and freeze and leaders crash at random while books are written; the history is checked."""
    chance = random.Random(20_261_122)
    acknowledged: list[str] = []
    attempted: list[str] = []
    over = asyncio.Event()

    async def write(worker: int) -> None:
        number = 0
        while not over.is_set():
            number += 1
            operation = f"{worker}-{number}"
            attempted.append(operation)
            with contextlib.suppress(CallError):
                await append(runtime.router, f"random{chance.randrange(12)}", operation, timeout=20)
                acknowledged.append(operation)
            await asyncio.sleep(0.01)

    async def harm(times: int) -> None:
        for _ in range(times):
            frozen = None
            what = chance.choice(["crash", "freeze", "leader"])
            # What is to be harmed may be down already.
            with contextlib.suppress(ValueError, RayError, TimeoutError, ProcessLookupError, IndexError):
                actor = await runtime.leader() if what == "leader" else chance.choice(await runtime.hosts()).name
                pid = await asyncio.wait_for(runtime.pid(actor), 1)
                os.kill(pid, signal.SIGSTOP if what == "freeze" else signal.SIGKILL)
                frozen = pid if what == "freeze" else None
            await asyncio.sleep(chance.uniform(2.0, 5.0) if frozen else chance.uniform(0.5, 2.0))
            if frozen:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(frozen, signal.SIGCONT)
        over.set()

    await asyncio.gather(harm(9), *(write(n) for n in range(8)))
    await append(runtime.router, "random0", "the last")
    # Calls whose caller gave up may still have been carried out; nothing may be there twice.
    stored = await runtime.lines("random")
    assert len(acknowledged) > 20, "the runtime was hardly ever there"
    assert not [operation for operation in acknowledged if stored[operation] != 1]
    assert set(stored) <= {*attempted, "the last"}
    assert set(stored.values()) == {1}
    assert await _epochs_are_in_order(runtime, "random")
    read = await asyncio.gather(*(runtime.router.call("book", f"random{n}", "read", timeout=60) for n in range(12)))
    assert Counter(operation for book in read for operation in book) == stored


async def test_a_node_that_is_lost_takes_nothing_acknowledged_with_it(
    platform: Platform, runtime: RunningRuntime
) -> None:
    for n in range(20):
        await append(runtime.router, f"node{n}", f"before {n}")
    victim = (await runtime.hosts())[0]
    under_way = [asyncio.create_task(append(runtime.router, f"node{n}", f"during {n}")) for n in range(20)]
    await asyncio.to_thread(platform.kill_worker, victim.node)
    try:
        await asyncio.gather(*under_way)
        for n in range(20):
            await append(runtime.router, f"node{n}", f"after {n}")
        stored = await runtime.lines("node")
        assert set(stored) == {f"{when} {n}" for n in range(20) for when in ("before", "during", "after")}
        assert set(stored.values()) == {1}
    finally:
        await asyncio.to_thread(platform.add_worker)


async def test_a_node_that_is_drained_gives_its_entities_away_with_what_they_remember(
    platform: Platform, servers: Servers, template: str
) -> None:
    # A lease that no stall of a busy machine outlasts: tallies live in memory only.
    async with fresh_database(servers, template) as address, running(address, lease=30.0, coordinators=1) as runtime:
        await asyncio.to_thread(platform.add_worker)
        leaving = (await runtime.hosts())[0].node
        node = platform.worker(leaving)
        try:
            for entity in range(40):
                assert await runtime.router.call("tally", f"e{entity}", 1, timeout=60) == 1
            drain_node(platform.nodes.address, leaving, 300)

            async def left() -> bool:
                return leaving not in {row.node for row in await runtime.hosts()} and await runtime.settled(2)

            await eventually(left, timeout=180)
            for entity in range(40):
                assert await runtime.router.call("tally", f"e{entity}", 1, timeout=60) == 2
        finally:
            await asyncio.to_thread(platform.remove_worker, node)
