"""A whole runtime on Ray: calls of every kind, and what moves with a shard. test_autoscaling has hosts come and go."""

from __future__ import annotations

import asyncio
import json
from functools import partial

import pytest

from actors.runtime import DeadlineExceeded, EntityFailed, FrameTooLarge, Refused, UnknownKind
from actors.runtime.shard_map import shard_of
from actors.runtime.transport.router import Router
from tests.cluster.conftest import SECRET, Platform, RunningRuntime, eventually
from tests.cluster.runtime.books import append


async def test_entities_of_every_kind_answer_wherever_they_live(runtime: RunningRuntime) -> None:
    router = runtime.router
    second = await Router.connect(runtime.options.name, secret=SECRET, direct=False, timeout_s=60)
    totals = await asyncio.gather(*(router.call("tally", f"t{n}", n, timeout=30) for n in range(300)))
    assert totals == list(range(300))
    assert await asyncio.gather(*(second.call("tally", f"t{n}", "read", timeout=30) for n in range(300))) == totals
    await second.close()
    # A host that stalled for longer than its lease has no shards until the leader gives it some back.
    await eventually(lambda: _serve(runtime, 2))

    await append(router, "b", "line")
    assert await router.call("book", "b", "read", timeout=30) == ["line"]
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


async def _serve(runtime: RunningRuntime, hosts: int) -> bool:
    """Whether so many processes answer for fifty entities."""
    calls = (runtime.router.call("tally", f"t{n}", "where", timeout=30) for n in range(50))
    return len({pid for pid, _total in await asyncio.gather(*calls)}) == hosts


async def test_actors_log_json_that_names_them(runtime: RunningRuntime, platform: Platform) -> None:
    """Ray keeps what each worker writes to standard error in a file of its own."""

    def processes() -> set[str]:
        lines = [
            json.loads(line)
            for file in platform.nodes.folder.glob("session_*/logs/worker-*.err")
            for line in file.read_text(errors="replace").splitlines()
            if line.startswith("{")
        ]
        ours = [line for line in lines if line.get("brand") == runtime.options.name]
        assert all(line["level"] and line["timestamp"] for line in ours)
        assert {line["module"].partition(".")[0] for line in ours} <= {"actors", "cluster"}
        return {line["process"] for line in ours}

    leader = await runtime.leader()
    await eventually(lambda: leader in processes())


async def _left_memory(runtime: RunningRuntime, kind: str) -> bool:
    loads = [row.load.get("entities_by_kind", {}).get(kind, 0) for row in await runtime.hosts()]
    return not any(loads)


async def test_timers_move_with_their_entity(runtime: RunningRuntime) -> None:
    # A host that stalls for longer than its lease, as one may on a busy machine, loses what it has in memory only.
    for attempt in range(5):
        await eventually(partial(_has_hosts, runtime, 2), 60)  # while one is replaced, there are three
        before = {row.host for row in await runtime.hosts()}
        if await _timer_fires_after_a_move(runtime, f"timed-{attempt}", before):
            return
    raise AssertionError("a host lost its lease in each of five attempts")


async def _has_hosts(runtime: RunningRuntime, number: int) -> bool:
    return len(await runtime.hosts()) == number


async def _timer_fires_after_a_move(runtime: RunningRuntime, entity: str, before: set[str]) -> bool:
    """Whether it did; False if a host lost its lease meanwhile."""
    assert await runtime.router.call("tally", entity, ["later", 3.0, 5], timeout=30) == 0
    shard = shard_of(entity)
    old = await runtime.owner("tally", shard)
    hosts = await runtime.hosts()
    others = [row for row in hosts if row.name != old]
    if {row.host for row in hosts} != before or len(others) != 1:
        return False
    (other,) = others
    await runtime.ask_for_move("tally", shard, other.host)

    async def host_lost() -> bool:
        return {row.host for row in await runtime.hosts()} != before

    async def moved() -> bool:
        row = await runtime.row("tally", shard)
        return (row.host == other.host and not row.moving_to) or await host_lost()

    await eventually(moved)

    async def fired() -> bool:
        return await runtime.router.call("tally", entity, "read", timeout=30) == 5 or await host_lost()

    await eventually(fired)
    return bool(await runtime.router.call("tally", entity, "read", timeout=30) == 5)
