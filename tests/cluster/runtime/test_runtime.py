"""A whole runtime on Ray: calls of every kind, and hosts that come and go while calls flow."""

from __future__ import annotations

import asyncio

import pytest

from actors.runtime import DeadlineExceeded, EntityFailed, FrameTooLarge, Refused, UnknownKind
from actors.runtime.router import Router
from actors.runtime.scaling import ScalingPolicy
from actors.runtime.shards import shard_of
from cluster.shards import ShardRow
from tests.cluster.conftest import SECRET, Platform, RunningRuntime, eventually, running


async def test_entities_of_every_kind_answer_wherever_they_live(runtime: RunningRuntime) -> None:
    router = runtime.router
    totals = await asyncio.gather(*(router.call("tally", f"t{n}", n, timeout=30) for n in range(300)))
    assert totals == list(range(300))
    nodes = {row.node for row in await runtime.hosts()}
    assert len(nodes) == 2, "hosts are spread over nodes"
    owners = {(await router.call("tally", f"t{n}", "where", timeout=30))[0] for n in range(50)}
    assert len(owners) == 2, "both hosts serve"

    assert await router.call("book", "b", "line", timeout=30) == 1
    assert await router.call("jar", "j", 7, timeout=30) == 1
    await eventually(lambda: _left_memory(runtime, "jar"))
    assert await router.call("jar", "j", "read", timeout=30) == [7], "back from its snapshot"

    for wrong, kind, message in [
        (Refused, "tally", "refuse"),
        (EntityFailed, "tally", "fail"),
        (FrameTooLarge, "tally", "large"),
        (UnknownKind, "nothing", 1),
    ]:
        with pytest.raises(wrong):
            await router.call(kind, "x", message, timeout=30)
    with pytest.raises(DeadlineExceeded):
        await router.call("tally", "x", 1, timeout=0.0)

    second = await Router.connect(runtime.options.name, secret=SECRET, direct=False)
    assert await asyncio.gather(*(second.call("tally", f"t{n}", "read", timeout=30) for n in range(300))) == totals
    await second.close()


async def _left_memory(runtime: RunningRuntime, kind: str) -> bool:
    loads = [row.load.get("entities_by_kind", {}).get(kind, 0) for row in await runtime.hosts()]
    return not any(loads)


async def test_load_brings_hosts_and_quiet_lets_them_go_and_no_call_notices(
    platform: Platform, database_address: str
) -> None:
    policy = ScalingPolicy(least=1, most=3, calls_per_second=150.0, grow_after=0.5, shrink_after=1.0)
    # A lease that no stall of a busy machine outlasts: what is counted here lives in memory only.
    async with running(database_address, hosts=1, scaling=policy, lease=30.0) as runtime:
        router, counts, stop = runtime.router, [0] * 100, asyncio.Event()

        async def work(first: int) -> None:
            while not stop.is_set():
                for entity in range(first, 100, 20):
                    counts[entity] += 1
                    assert await router.call("tally", f"e{entity}", 1, timeout=60) == counts[entity]
                await asyncio.sleep(0.02)

        workers = [asyncio.create_task(work(first)) for first in range(20)]
        booked = 0

        async def grown() -> bool:
            nonlocal booked
            booked += 1
            assert await router.call("book", "during", f"line {booked}", timeout=60) == booked
            failed = [worker for worker in workers if worker.done()]
            assert not failed, failed
            return len({row.host for row in (await runtime.store.shard_map())[1]}) == 3

        await eventually(grown, within=180)
        stop.set()
        await asyncio.gather(*workers)

        async def shrunk() -> bool:
            return len(await runtime.hosts()) == 1 and len({r.host for r in (await runtime.store.shard_map())[1]}) == 1

        await eventually(shrunk, within=180)
        totals = await asyncio.gather(*(router.call("tally", f"e{n}", "read", timeout=60) for n in range(100)))
        assert totals == counts, "state in memory came along with every move"
        assert await router.call("book", "during", "read", timeout=60) == [f"line {n}" for n in range(1, booked + 1)]


async def test_timers_move_with_their_entity(runtime: RunningRuntime) -> None:
    assert await runtime.router.call("tally", "t", ["later", 3.0, 5], timeout=30) == 0
    old = await runtime.owner("tally", shard_of("t"))
    (row,) = [row for row in await runtime.hosts() if row.name == old]
    (other,) = [row for row in await runtime.hosts() if row.name != old]
    await _move(runtime, ShardRow("tally", shard_of("t"), row.host, 0), other.host)
    assert await runtime.owner("tally", shard_of("t")) == other.name

    async def fired() -> bool:
        return bool(await runtime.router.call("tally", "t", "read", timeout=30) == 5)

    await eventually(fired)


async def _move(runtime: RunningRuntime, row: ShardRow, to: str) -> None:
    """Asks for one shard's move in the stored map, as a leader would; the leader drives it to its end."""
    pool = runtime.store._pool
    async with pool.acquire() as connection, connection.transaction():
        version = await connection.fetchval(
            "UPDATE shard_coordinator SET map_version = map_version + 1 RETURNING map_version"
        )
        await connection.execute(
            "UPDATE shards SET moving_to = $1, version = $2 WHERE kind = $3 AND shard = $4",
            to,
            version,
            row.kind,
            row.shard,
        )
        # The leader reads the map when its term begins.
        await connection.execute("UPDATE shard_coordinator SET term = term + 1, holder = '', expires_at = '-infinity'")

    async def moved() -> bool:
        rows = [r for r in (await runtime.store.shard_map())[1] if (r.kind, r.shard) == (row.kind, row.shard)]
        return rows[0].host == to and not rows[0].moving_to

    await eventually(moved)
