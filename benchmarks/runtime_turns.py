"""Turns of one host, without Ray: what group commit gives, and what a hot entity costs the others.

Durable turns are committed to a private Postgres with fsync on. The baseline is one transaction per turn, over as many
connections as a host had for them before, in the same run. Calls for the hot entity come from another process, over as
many connections as it has routers; the others' delay is measured inside the host, from the moment at which a call is to
arrive until its answer is written. Event loop and garbage collection are a host's.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import tempfile
import time
from asyncio.subprocess import PIPE
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from benchmarks.figure import Figure, quantile
from benchmarks.size import sized

if TYPE_CHECKING:
    from actors.runtime.transport.stream import HostConnection

FIGURES = ("runtime.durable_turns_per_s", "runtime.hot_entity_delay_ms")

IN_FLIGHT = 500
"""Entities that each begin their next turn when the last one is committed."""
SECONDS = sized(4.0, 0.3)
ROUNDS = sized(3, 1)
HOT_ROUTERS = 12
HOT_CALLS = sized(8192, 512)
"""Calls that each router makes to the hot entity at once: as many as it may have in flight to a host."""
EFFECT_SECONDS = 0.01
"""What the effects of a turn take."""
CALM_SECONDS = 0.01
"""From the answer to one call of the calm entity until the next call is to be made, by a timer of the event loop."""
LAG_SECONDS = 0.005


def run(wanted: Callable[[str], bool]) -> Iterator[Figure]:
    """Durable turns, then the hot entity."""
    from benchmarks.stack.host_loop import run_as_host

    if wanted("runtime.durable_turns_per_s"):
        yield run_as_host(_durable)
    if wanted("runtime.hot_entity_delay_ms"):
        yield run_as_host(_hot)


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


async def _hot() -> Figure:
    """How late another entity's calls are answered, and the loop's timers fire, while calls pour in for one entity."""
    from actors.runtime import EntityKind, Reply, Value
    from actors.runtime.hosting.mailboxes import Mailboxes
    from actors.runtime.hosting.turns import TurnRunner
    from actors.runtime.kind import EffectHandler
    from actors.runtime.shard_map import SHARDS
    from actors.runtime.store.rows import ShardRow
    from actors.runtime.transport.stream import HostConnection
    from benchmarks.stack.hot_callers import KIND
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
            await asyncio.sleep(EFFECT_SECONDS)
            return []

    kind = EntityKind(KIND, create=lambda _id, _context: Conversation(), restore=lambda *_: Conversation())
    mailboxes = Mailboxes("h", lambda _kind, _shard: "h")
    mailboxes.add_kind(TurnRunner(kind, Slow(kind_context())))
    mailboxes.serve_until = float("inf")
    for number in range(SHARDS):
        shard = mailboxes.shard(KIND, number)
        shard.ownership.mapped(ShardRow(KIND, number, "h", 1), "h")
        shard.ownership.loaded(1)
        mailboxes.let_in(shard)
    connections: set[HostConnection] = set()
    secret = secrets.token_hex(8)
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = f"{folder}/host.sock"
        loop = asyncio.get_running_loop()
        server = await loop.create_unix_server(
            lambda: HostConnection(secret.encode(), mailboxes.deliver, connections), path
        )
        calls = HOT_ROUTERS * HOT_CALLS
        command = [sys.executable, "-m", "benchmarks.stack.hot_callers", path, secret, str(HOT_ROUTERS), str(HOT_CALLS)]
        callers = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
        try:
            assert callers.stdin is not None
            assert callers.stdout is not None
            await callers.stdout.readline()
            connection = HostConnection(secret.encode(), mailboxes.deliver, connections)
            watch = _Watch(connection)
            connection.connection_made(cast(Any, watch))
            connection.proved()
            calm, lags = asyncio.create_task(watch.call()), asyncio.create_task(watch.tick())
            await asyncio.sleep(0.1)
            began, cpu = loop.time(), time.process_time()
            callers.stdin.write(b"go\n")
            answered = int(await callers.stdout.readline())
            took, cpu = loop.time() - began, time.process_time() - cpu
            watch.over = True
            await asyncio.gather(calm, lags)
        finally:
            if callers.returncode is None:
                callers.kill()
            await callers.wait()
            await mailboxes.close()
            server.close()
    return Figure(
        "runtime.hot_entity_delay_ms",
        max(watch.delays),
        "ms",
        samples=len(watch.delays),
        extra={
            "p50": quantile(watch.delays, 0.5),
            "cpu_max": max(watch.cpu_delays),
            "lease_max": max(watch.lags),
            "lease_cpu_max": max(watch.cpu_lags),
            "calls": calls,
            "answered": answered,
            "seconds": took,
            "host_cpu_s": cpu,
        },
    )


class _Watch:
    """Measures, in the host's own event loop, what others than the hot entity get of it (ms). It is the transport of a
    connection, so that no socket and no router have a part in that.

    The process's CPU time is measured, too: it does not go by while the machine runs something else.
    """

    def __init__(self, connection: HostConnection) -> None:
        self._connection = connection
        self._answered = asyncio.Event()
        self.over = False
        self.delays: list[float] = []
        """From when a call was to be made until its answer, without the effect of its turn."""
        self.cpu_delays: list[float] = []
        self.lags: list[float] = []
        """Of a timer, as that of the lease is one."""
        self.cpu_lags: list[float] = []

    async def call(self) -> None:
        """Calls the calm entity again and again."""
        from actors.runtime.transport.frames import calls_frame, pack, pack_body

        number = 0
        while not self.over:
            number += 1
            call = calls_frame(number, [pack((number, "c", "calm", 60_000, pack_body(0)))])
            due, cpu = time.monotonic() + CALM_SECONDS, time.process_time()
            await asyncio.sleep(CALM_SECONDS)
            self._answered.clear()
            self._connection.data_received(call)
            await self._answered.wait()
            self.delays.append(max(0.0, self._written - due - EFFECT_SECONDS) * 1000)
            self.cpu_delays.append(max(0.0, self._written_cpu - cpu - CALM_SECONDS - EFFECT_SECONDS) * 1000)

    def write(self, _answers: bytes) -> None:
        """Takes what the host writes to the connection."""
        self._written, self._written_cpu = time.monotonic(), time.process_time()
        self._answered.set()

    def get_extra_info(self, _name: str) -> None:
        """See asyncio.BaseTransport."""

    def is_closing(self) -> bool:
        """See asyncio.BaseTransport."""
        return False

    async def tick(self) -> None:
        """Sleeps again and again."""
        while not self.over:
            due, cpu = time.monotonic() + LAG_SECONDS, time.process_time()
            await asyncio.sleep(LAG_SECONDS)
            self.lags.append(max(0.0, time.monotonic() - due) * 1000)
            self.cpu_lags.append(max(0.0, time.process_time() - cpu - LAG_SECONDS) * 1000)
