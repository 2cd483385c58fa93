"""Durable timers of one host, without Ray: how late 10,000 that are due in one second are received.

None of the entities is in memory: each timer loads its entity from a private Postgres (fsync on), and its turn deletes
the timer and stores a snapshot. Event loop and garbage collection are a host's. ``cpu_s`` is what the process takes
from the first timer until the last is committed.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.figure import Figure, percentiles, quantile
from benchmarks.size import sized

FIGURES = ("runtime.timer_lateness_ms",)
FIGURE_TIMEOUT_S = 180.0

TIMERS = sized(10_000, 200)
"""Due at even intervals over one second, one per entity."""
LEAD_SECONDS = sized(8.0, 1.0)
"""From now until the first is due: time to store them all."""


def run(wanted: Callable[[str], bool]) -> Iterator[Figure]:
    """The one figure."""
    if wanted("runtime.timer_lateness_ms"):
        from benchmarks.stack.host_loop import run_as_host

        yield run_as_host(_measure)


async def _measure() -> Figure:
    from cluster.local.processes import Processes, free_port
    from cluster.local.services import PostgresServer
    from cluster.migrate import migrate

    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        processes = Processes(Path(folder) / ".local")
        postgres = PostgresServer(processes, free_port(), secrets.token_hex(8))
        try:
            postgres.start()
            dsn = postgres.address("postgres")
            await migrate(dsn)
            return await _lateness(dsn)
        finally:
            postgres.stop()
            processes.sweep()


async def _lateness(dsn: str) -> Figure:
    import msgpack

    from actors.runtime import EffectHandler, EntityKind, Persist, Value
    from actors.runtime.hosting.committer import Committer
    from actors.runtime.hosting.mailboxes import Mailboxes
    from actors.runtime.hosting.turns import TurnRunner
    from actors.runtime.shard_map import SHARDS, shard_of
    from actors.runtime.store.rows import ShardRow
    from actors.runtime.store.shard_store import ShardStore
    from actors.runtime.store.turn_writes import TurnWrites
    from tests.support.kind_context import kind_context

    lateness: list[float] = []

    class Alarm:
        def receive(self, message: Value, now: float) -> list[Any]:
            lateness.append((time.time() - message) * 1000)
            return [Persist()]

        def snapshot(self) -> Value:
            return "rung"

    kind = EntityKind("alarm", create=lambda _id, _context: Alarm(), restore=lambda *_: Alarm(), durable=True)
    store = await ShardStore.open(dsn, application="benchmark")
    writes = await TurnWrites.open(dsn)
    leadership = (await store.lead("benchmark", 600.0)).leadership
    assert leadership is not None
    await store.write_map(leadership, [ShardRow("alarm", shard, "host", 1) for shard in range(SHARDS)])
    first = time.time() + LEAD_SECONDS
    rows = []
    for number in range(TIMERS):
        due = first + number / TIMERS
        rows.append(("alarm", shard_of(f"e{number}"), f"e{number}", "alarm", due, msgpack.packb(due)))
    await store._pool.copy_records_to_table("entity_timers", records=rows)
    mailboxes = Mailboxes("host", lambda _kind, _shard: "host")
    mailboxes.add_kind(TurnRunner(kind, EffectHandler(kind_context()), store, Committer(writes)))
    mailboxes.serve_until = float("inf")
    for number in range(SHARDS):
        shard = mailboxes.shard("alarm", number)
        shard.ownership.mapped(ShardRow("alarm", number, "host", 1), "host")
        shard.ownership.loaded(1)
        mailboxes.let_in(shard)
    timers = asyncio.create_task(mailboxes.durable_timers.run(store, mailboxes.served))
    await asyncio.sleep(first - time.time())
    cpu = time.process_time()
    while await store._pool.fetchval("SELECT EXISTS (SELECT FROM entity_timers)"):
        await asyncio.sleep(0.05)
    committed, cpu = time.time() - first - 1.0, time.process_time() - cpu
    timers.cancel()
    await asyncio.gather(timers, return_exceptions=True)
    await mailboxes.close()
    await writes.close()
    await store.close()
    if min(lateness) < 0.0:
        raise ValueError(f"a timer was received {-min(lateness)} ms early")
    if len(lateness) != TIMERS:
        raise ValueError(f"{TIMERS} timers were received {len(lateness)} times")
    return Figure(
        "runtime.timer_lateness_ms",
        quantile(lateness, 0.99),
        "ms",
        samples=TIMERS,
        extra={**percentiles(lateness), "max": max(lateness), "all_committed_after_ms": committed * 1000, "cpu_s": cpu},
    )
