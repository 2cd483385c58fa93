"""Sharded entities on Ray: calls a second, pauses while shards move, time without an owner after a loss.

Starts a private Postgres and Ray nodes of its own (a head and two workers). The baseline of the call figures is
one Ray actor call for each, to an actor that only answers, with as many callers, in the same run.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.figure import Figure, percentiles, quantile
from benchmarks.size import sized

FIGURES = (
    "runtime.stream_calls_per_s",
    "runtime.coalesced_calls_per_s",
    "runtime.handoff_pause_ms",
    "runtime.idle_entity_bytes",
    "runtime.host_failover_s",
    "runtime.node_failover_s",
)

SECRET = "benchmark"
CALLERS = sized(512, 16)
SECONDS = sized(3.0, 0.2)
ROUNDS = sized(3, 1)
ENTITIES = sized(2000, 100)
FLOW = sized(1000, 200)
"""Calls a second that flow while shards move."""
IDLE = sized(50_000, 5000)
_KINDS = {"benchmarks.stack.runtime_kinds:COUNTER": None}


def run(wanted: Callable[[str], bool]) -> Iterator[Figure]:
    """All figures come from one cluster; the destructive ones are last."""
    if any(wanted(name) for name in FIGURES):
        with _services() as (nodes, workers, dsn):
            yield from asyncio.run(_measure(wanted, nodes, workers, dsn))


@contextmanager
def _services() -> Iterator[tuple[Any, list[Any], str]]:
    os.environ["RAY_AUTH_MODE"] = "disabled"
    import ray

    from cluster.local.processes import Processes, free_port
    from cluster.local.services import PostgresServer
    from tests.cluster.nodes import RayNodes

    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        processes = Processes(Path(folder) / ".local")
        postgres = PostgresServer(processes, free_port(), secrets.token_hex(8))
        nodes = RayNodes()
        try:
            postgres.start()
            nodes.start(cpus=0)
            workers = [nodes.start(cpus=2), nodes.start(cpus=2)]
            ray.init(address=nodes.address, namespace="benchmark", log_to_driver=False)
            yield nodes, workers, postgres.address("postgres")
        finally:
            ray.shutdown()
            nodes.stop()
            postgres.stop()
            processes.sweep()


async def _measure(wanted: Callable[[str], bool], nodes: Any, workers: list[Any], admin: str) -> list[Figure]:
    figures: list[Figure] = []
    if wanted("runtime.stream_calls_per_s") or wanted("runtime.coalesced_calls_per_s"):
        figures += [figure for figure in await _calls(admin) if wanted(figure.figure)]
    if wanted("runtime.handoff_pause_ms"):
        figures.append(await _handoff(admin))
    if wanted("runtime.idle_entity_bytes"):
        figures.append(await _idle(admin))
    if wanted("runtime.host_failover_s"):
        figures.append(await _host_failover(admin))
    if wanted("runtime.node_failover_s"):
        figures.append(await _node_failover(admin, workers))
    return figures


@asynccontextmanager
async def _runtime(admin: str, hosts: int, **scaling: Any) -> AsyncIterator[tuple[Any, Any, Any]]:
    """(options, router, store) of a fresh runtime on a fresh database whose hosts all own shards."""
    import asyncpg

    from actors.runtime.options import RuntimeOptions, ScalingPolicy
    from actors.runtime.start import start_runtime, stop_runtime
    from actors.runtime.store.shard_store import ShardStore
    from actors.runtime.transport.router import Router
    from cluster.migrate import migrate

    name = f"b{secrets.token_hex(4)}"
    connection = await asyncpg.connect(admin)
    await connection.execute(f"create database {name}")
    await connection.close()
    dsn = admin.rpartition("/")[0] + "/" + name
    await migrate(dsn)
    policy = ScalingPolicy(**{"min_hosts": hosts, "max_hosts": hosts, **scaling})
    options = RuntimeOptions(name, _KINDS, dsn, "redis://127.0.0.1", SECRET, scaling=policy)  # the kind uses no Redis
    store = await ShardStore.open(dsn, application="benchmark")
    start_runtime(options)
    router = await Router.connect(name, secret=SECRET, timeout_s=120)
    try:
        await _owned_by(store, hosts)
        yield options, router, store
    finally:
        await router.close()
        stop_runtime(options)
        await store.close()


async def _owned_by(store: Any, hosts: int, within: float = 120.0) -> None:
    """Waits until as many living hosts own all shards between them, and none moves."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        rows = (await store.shard_map()).rows
        living = {row.host for row in await store.hosts()}
        owners = {row.host for row in rows}
        if len(owners) == hosts and owners <= living and not any(row.moving_to for row in rows):
            return
        await asyncio.sleep(0.05)
    raise TimeoutError(f"{hosts} hosts never owned all shards")


async def _rate(call: Callable[[int], Any], callers: int = CALLERS) -> float:
    """Calls a second that ``callers`` coroutines make, each the next when the last is answered."""
    done = 0
    until = time.perf_counter() + SECONDS

    async def caller(first: int) -> None:
        nonlocal done
        number = first
        while time.perf_counter() < until:
            await call(number % ENTITIES)
            number += callers
            done += 1

    started = time.perf_counter()
    await asyncio.gather(*(caller(number) for number in range(callers)))
    return done / (time.perf_counter() - started)


async def _calls(admin: str) -> list[Figure]:
    import ray

    from actors.runtime.transport.router import Router

    class Plain:
        """Answers, as an actor that is called directly."""

        async def add(self, amount: int) -> int:
            return amount

    async with _runtime(admin, 1) as (options, router, _):
        coalesced = await Router.connect(options.name, secret=SECRET, direct=False)
        plain: Any = ray.remote(Plain).options(num_cpus=0, max_concurrency=1000).remote()
        await plain.add.remote(1)
        calls: dict[str, Callable[[int], Any]] = {
            "ray": lambda _: plain.add.remote(1),
            "stream": lambda n: router.call("counter", f"e{n}", 1, 30.0),
            "coalesced": lambda n: coalesced.call("counter", f"e{n}", 1, 30.0),
        }
        rates: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(ROUNDS):
            for name, call in calls.items():
                rates[name].append(await _rate(call))
        alone = await _rate(calls["stream"], callers=1)
        await coalesced.close()
    baseline = quantile(rates["ray"], 0.5)
    return [
        Figure(
            f"runtime.{name}_calls_per_s",
            quantile(rates[name], 0.5),
            "1/s",
            "one Ray actor call each",
            baseline,
            samples=ROUNDS,
            extra={"callers": CALLERS, **({"one_caller": alone} if name == "stream" else {})},
        )
        for name in ("stream", "coalesced")
    ]


async def _handoff(admin: str) -> Figure:
    """Latencies of calls, due at a steady pace, to the shards that move while half of the map goes to a new host."""
    async with _runtime(admin, 1, max_hosts=2, calls_per_second=FLOW / 2, grow_after=4.0) as (_, router, store):
        for number in range(ENTITIES):
            await router.call("counter", f"e{number}", 1, 30.0)
        before = (await store.shard_map()).rows
        owners = {row.shard: row.host for row in before}
        latencies: list[tuple[str, float]] = []
        pending: set[asyncio.Task[None]] = set()
        stop = asyncio.Event()

        async def one(entity: str, due: float) -> None:
            await router.call("counter", entity, 1, 30.0)
            latencies.append((entity, (time.perf_counter() - due) * 1000))

        async def flow() -> None:
            number, started = 0, time.perf_counter()
            while not stop.is_set():
                due = started + number / FLOW
                if (wait := due - time.perf_counter()) > 0:
                    await asyncio.sleep(wait)
                task = asyncio.create_task(one(f"e{number % ENTITIES}", due))
                pending.add(task)
                task.add_done_callback(pending.discard)
                number += 1

        flowing = asyncio.create_task(flow())
        await _owned_by(store, 2)
        await asyncio.sleep(1.0)
        stop.set()
        await flowing
        await asyncio.gather(*pending)
        after = (await store.shard_map()).rows
    from actors.runtime.shard_map import shard_of

    moved = {row.shard for row in after if owners[row.shard] != row.host}
    of_moved = [latency for entity, latency in latencies if shard_of(entity) in moved]
    return Figure(
        "runtime.handoff_pause_ms",
        quantile(of_moved, 0.99),
        "ms",
        samples=len(of_moved),
        extra={
            **percentiles(of_moved),
            "max": max(of_moved),
            "calls_per_s": FLOW,
            "moved_shards": len(moved),
        },
    )


async def _idle(admin: str) -> Figure:
    """What an entity that nobody calls takes in its host's memory."""
    import psutil
    import ray

    async with _runtime(admin, 1) as (options, router, _):
        host: Any = ray.get_actor("host-0", namespace=options.name)
        process = psutil.Process((await host.status.remote())["pid"])
        await asyncio.gather(*(router.call("counter", f"warm{n}", 1, 30.0) for n in range(2000)))
        before = process.memory_full_info().uss
        for first in range(0, IDLE, 5000):
            await asyncio.gather(*(router.call("counter", f"entity-{n}", 1, 30.0) for n in range(first, first + 5000)))
        after = process.memory_full_info().uss
    return Figure("runtime.idle_entity_bytes", (after - before) / IDLE, "B", samples=IDLE)


async def _outage(router: Any, store: Any, victim: str, strike: Callable[[], None]) -> float:
    """Seconds from ``strike`` until an entity of every one of the victim's shards answered again."""
    from actors.runtime.shard_map import shard_of

    rows = (await store.shard_map()).rows
    lost = {row.shard for row in rows if row.host == victim}
    entities: dict[int, str] = {}
    number = 0
    while len(entities) < len(lost):
        number += 1
        shard = shard_of(f"e{number}")
        if shard in lost:
            entities.setdefault(shard, f"e{number}")
    await asyncio.gather(*(router.call("counter", entity, 1, 30.0) for entity in entities.values()))
    await asyncio.to_thread(strike)
    started = time.perf_counter()
    await asyncio.gather(*(router.call("counter", entity, 1, 60.0) for entity in entities.values()))
    return time.perf_counter() - started


async def _host_failover(admin: str) -> Figure:
    import ray

    outages = []
    async with _runtime(admin, 2) as (options, router, store):
        for _ in range(ROUNDS):
            victim = min(await store.hosts(), key=lambda row: str(row.name))
            host: Any = ray.get_actor(victim.name, namespace=options.name)
            pid = (await host.status.remote())["pid"]
            outages.append(await _outage(router, store, victim.host, partial(os.kill, pid, signal.SIGKILL)))
            await _owned_by(store, 2)
    return Figure("runtime.host_failover_s", max(outages), "s", samples=ROUNDS, extra={"min": min(outages)})


async def _node_failover(admin: str, workers: list[Any]) -> Figure:
    """The node with the leader's candidate among its losses where there is one: everything on it dies at once."""
    async with _runtime(admin, 2) as (_, router, store):
        hosts = await store.hosts()
        (victim, node) = next(
            (row, worker)
            for row in hosts
            for worker in workers
            if any(row.node in " ".join(member.cmdline()) for member in worker.family())
        )
        outage = await _outage(router, store, victim.host, node.kill)
    return Figure("runtime.node_failover_s", outage, "s", samples=1)
