"""Turns of one host, without Ray: what group commit gives, and what a hot entity costs the others.

Durable turns are committed to a private Postgres with fsync on. The baseline is one transaction per turn, over as many
connections as a host had for them before, in the same run.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.figure import Figure, quantile
from benchmarks.size import sized

FIGURES = ("runtime.durable_turns_per_s", "runtime.hot_entity_delay_ms")

IN_FLIGHT = 500
"""Entities that each begin their next turn when the last one is committed."""
SECONDS = sized(4.0, 0.3)
ROUNDS = sized(3, 1)
HOT_ROUTERS = 12
HOT_FRAMES = sized(64, 4)
"""Frames of 128 calls that each router sends to the hot entity at once."""
FRAME_CALLS = 128


def run(wanted: Callable[[str], bool]) -> Iterator[Figure]:
    """Durable turns, then the hot entity."""
    if wanted("runtime.durable_turns_per_s"):
        yield asyncio.run(_durable())
    if wanted("runtime.hot_entity_delay_ms"):
        yield asyncio.run(_hot())


async def _durable() -> Figure:
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
            rates: dict[str, list[float]] = {"single": [], "group": []}
            for _ in range(ROUNDS):
                rates["single"].append(await _turns(dsn, transactions=4, max_turns=1))
                rates["group"].append(await _turns(dsn))
        finally:
            postgres.stop()
            processes.sweep()
    return Figure(
        "runtime.durable_turns_per_s",
        quantile(rates["group"], 0.5),
        "1/s",
        "one transaction per turn",
        quantile(rates["single"], 0.5),
        samples=ROUNDS,
        extra={"entities": IN_FLIGHT},
    )


async def _turns(dsn: str, **bounds: int) -> float:
    """Turns a second, each with a snapshot and an answer."""
    from actors.runtime.hosting.committer import TRANSACTIONS, Committer
    from actors.runtime.shard_map import SHARDS, shard_of
    from actors.runtime.store.rows import Answer, Fence, ShardRow, Snapshot
    from actors.runtime.store.shard_store import ShardStore
    from actors.runtime.store.turn_writes import TurnWrite, TurnWrites

    store = await ShardStore.open(dsn, application="benchmark")
    writes = await TurnWrites.open(dsn, transactions=bounds.get("transactions", TRANSACTIONS))
    committer = Committer(writes, **bounds)
    caller = secrets.token_bytes(8)
    leadership = (await store.lead(secrets.token_hex(4), 0.0)).leadership
    assert leadership is not None
    await store.renew(leadership.position.generation, 60.0)
    await store.write_map(leadership, [ShardRow("book", shard, "host", 1) for shard in range(SHARDS)])
    await store.renew(leadership.position.generation, -1.0)
    calls, until, body = 0, time.perf_counter() + SECONDS, b"x" * 200

    async def entity(name: str) -> None:
        nonlocal calls
        fence = Fence("book", shard_of(name), "host", 1)
        while time.perf_counter() < until:
            calls += 1
            await committer.commit(TurnWrite(fence, name, [Answer(caller, calls, b"done")], Snapshot(1, body)))

    started = time.perf_counter()
    await asyncio.gather(*(entity(f"e{n}") for n in range(IN_FLIGHT)))
    rate = calls / (time.perf_counter() - started)
    await committer.close()
    await writes.close()
    await store.close()
    return rate


class _Delays:
    """Keeps how late answers to the calm entity came."""

    def __init__(self) -> None:
        self.answered = 0

    def answer(self, packed: bytes) -> None:
        """See deduplication.Origin."""
        self.answered += 1


async def _hot() -> Figure:
    """The longest that the event loop, and another entity's turn, waited while calls poured in for one entity."""
    from actors.runtime import EntityKind, Reply, Value
    from actors.runtime.hosting.mailboxes import Mailboxes
    from actors.runtime.hosting.turns import TurnRunner
    from actors.runtime.kind import EffectHandler
    from actors.runtime.shard_map import shard_of
    from actors.runtime.store.rows import ShardRow
    from actors.runtime.transport.frames import CALLS, pack_body
    from tests.support.kind_context import kind_context

    class Conversation:
        def __init__(self) -> None:
            self.log: list[Value] = []

        def receive(self, message: Value, now: float) -> list[Any]:
            for _ in range(1000):
                pass
            self.log.append(message)
            return [("write", message), Reply(len(self.log))]

        def snapshot(self) -> Value:
            return self.log

    class Slow(EffectHandler):
        async def act(self, turn: Any) -> list[Value]:
            await asyncio.sleep(0.01)
            return []

    kind = EntityKind("c", create=lambda _id, _context: Conversation(), restore=lambda *_: Conversation())
    mailboxes = Mailboxes("h", lambda _kind, _shard: "h")
    mailboxes.add_kind(TurnRunner(kind, Slow(kind_context())))
    mailboxes.serve_until = float("inf")
    for entity in ("hot", "calm"):
        shard = mailboxes.shard("c", shard_of(entity))
        shard.ownership.mapped(ShardRow("c", shard.number, "h", 1), "h")
        shard.ownership.loaded(1)
        mailboxes.let_in(shard)
    loop = asyncio.get_running_loop()
    delays: list[float] = []
    hot, done, body = _Delays(), False, pack_body(["say", "x" * 100])

    async def measure() -> None:
        number = 0
        while not done:
            calm, number = _Delays(), number + 1
            started = loop.time()
            mailboxes.deliver(calm, b"calm-cal", [CALLS, number, [number, "c", "calm", 60_000, body]])
            while not calm.answered:
                await asyncio.sleep(0)
            # The effect of its turn takes 10 ms of its own.
            delays.append(max(0.0, loop.time() - started - 0.01) * 1000)

    async def router(caller: int) -> None:
        number = 1
        for _ in range(HOT_FRAMES):
            items = [[number + n, "c", "hot", 60_000, body] for n in range(FRAME_CALLS)]
            mailboxes.deliver(hot, bytes([caller]) * 8, [CALLS, 1, *items])
            number += FRAME_CALLS
            await asyncio.sleep(0)  # frames arrive one by one

    measuring = asyncio.create_task(measure())
    await asyncio.gather(*(router(caller) for caller in range(HOT_ROUTERS)))
    while hot.answered < HOT_ROUTERS * HOT_FRAMES * FRAME_CALLS:
        await asyncio.sleep(0.001)
    done = True
    await measuring
    await mailboxes.close()
    return Figure("runtime.hot_entity_delay_ms", max(delays), "ms", samples=len(delays), extra={"calls": hot.answered})
