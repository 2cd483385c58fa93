"""A restored backup whose map is the one that hosts know: a real host, leader and Postgres, without Ray."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any, cast

import asyncpg
import msgpack
import pytest
import ray

from actors.runtime import Effect, EntityKind, Persist, Reply, Value
from actors.runtime.coordination.leader import Leader
from actors.runtime.errors import Refused
from actors.runtime.hosting import host as host_module
from actors.runtime.hosting.host import ShardHost
from actors.runtime.options import RuntimeOptions, ScalingPolicy
from actors.runtime.shard_map import MapPosition, shard_of
from actors.runtime.store.history import History
from actors.runtime.store.rows import DATABASE_ERRORS
from actors.runtime.store.shard_store import ShardStore
from actors.runtime.transport.frames import CALLS, DONE, MOVED, NOT_MINE, pack_body
from actors.runtime.transport.router import NoControlPlane

TABLES = (
    "shard_coordinator",
    "shard_generations",
    "shard_hosts",
    "shards",
    "shard_answers",
    "entity_snapshots",
    "entity_timers",
    "turn_commits",
)
ENTITY = "a"


class Account:
    """["add", number] adds to the total and stores it; ["total"] says it from memory."""

    def __init__(self, total: int) -> None:
        self.total = total

    def receive(self, message: Value, now: float) -> list[Effect]:
        match message:
            case ["add", int(number)]:
                self.total += number
                return [Persist(), Reply(self.total)]
            case ["total"]:
                return [Reply(self.total)]
        raise Refused("bad_message")

    def snapshot(self) -> Value:
        return self.total


ACCOUNT = EntityKind(
    "account",
    create=lambda _id, _context: Account(0),
    restore=lambda _id, _version, total, _context: Account(total),
    durable=True,
)


class Hands:
    """What the leader asks of Ray: the host is there, and finds out by its heartbeats what the map says."""

    async def ensure(self, name: str) -> None:
        pass

    async def existing(self) -> list[str]:
        return ["host-0"]

    async def leaving_nodes(self) -> frozenset[str]:
        return frozenset()

    async def follow_worker_ends(self, announced: Callable[[str], None]) -> None:
        pass

    async def nodes_without(self, code_version: str) -> list[str]:
        return []

    async def stop(self, name: str, *, restart: bool = False) -> None:
        pass

    async def notify_map(self, name: str, position: MapPosition) -> None:
        pass


class Platform:
    """One host, one leader, and a caller of one entity."""

    def __init__(self, host: ShardHost, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        self.host = host
        self.connection = connection
        self._answers: dict[int, tuple[int, Any]] = {}
        self._calls = 0

    def answer(self, packed: bytes) -> None:
        """See Origin."""
        call, status, value = msgpack.unpackb(packed)
        self._answers[call] = (status, value)

    @property
    def incarnation(self) -> str:
        return "" if self.host._shard_owner is None else self.host._shard_owner.mailboxes.host

    async def call(self, *message: Any) -> Any:
        """The entity's reply. The call is sent again under its number until there is one, as routers do."""
        self._calls += 1
        call = self._calls
        async with asyncio.timeout(60):
            while True:
                if (owner := self.host._shard_owner) is not None:
                    self._answers.pop(call, None)
                    items = [CALLS, 1, [call, "account", ENTITY, 60_000, pack_body(list(message))]]
                    owner.mailboxes.deliver(self, b"caller-1", items)
                    while call not in self._answers:
                        await asyncio.sleep(0.002)
                    status, value = self._answers[call]
                    if status == DONE:
                        return value
                    assert status in (NOT_MINE, MOVED), value
                await asyncio.sleep(0.01)

    async def stored_total(self) -> int:
        return int(msgpack.unpackb(await self.connection.fetchval("SELECT body FROM entity_snapshots")))

    async def map(self) -> Any:
        """Position of the map, and who owns the entity's shard."""
        return await self.connection.fetchrow(
            "SELECT generation, map_version, shards.* FROM shard_coordinator, shards WHERE shard = $1", shard_of(ENTITY)
        )

    async def back_up(self) -> None:
        await self.connection.execute("CREATE SCHEMA backup")
        async with self.connection.transaction(isolation="repeatable_read"):
            for table in TABLES:
                await self.connection.execute(f"CREATE TABLE backup.{table} AS TABLE {table}")

    async def restore(self) -> None:
        async with self.connection.transaction():
            await self.connection.execute(f"TRUNCATE {', '.join(TABLES)}")
            for table in TABLES:
                await self.connection.execute(f"INSERT INTO {table} SELECT * FROM backup.{table}")


async def lead(address: str) -> None:
    """What a coordinator does, four times a second."""
    store = await ShardStore.open(address, application="leader")
    leader: Leader | None = None

    async def publish(_position: MapPosition) -> None:
        pass

    try:
        while True:
            try:
                if leader is None:
                    leadership = (await store.lead("leader", 2.0)).leadership
                    assert leadership is not None
                    policy = ScalingPolicy(max_hosts=1)
                    leader = Leader(leadership, store, cast(Any, Hands()), ["account"], policy, publish)
                    await leader.load()
                await leader.tick(asyncio.get_running_loop().time())
            except DATABASE_ERRORS:
                leader = None
            await asyncio.sleep(0.25)
    finally:
        await store.close()


@pytest.fixture
async def platform(database_address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> AsyncIterator[Platform]:
    monkeypatch.setattr(
        ray, "get_runtime_context", lambda: SimpleNamespace(get_node_id=lambda: "node", get_worker_id=lambda: "worker")
    )
    monkeypatch.setattr(host_module, "RayControl", lambda *_: NoControlPlane("node"))
    monkeypatch.setattr(host_module, "configure_logs", lambda *_, **__: None)
    options = RuntimeOptions(
        name="test",
        kinds={f"{__name__}:ACCOUNT": None},
        database=database_address,
        redis="redis://127.0.0.1:1",
        secret="s" * 32,
        listen="127.0.0.1",
        socket_directory=str(tmp_path),
    )
    pools = []
    create_pool = asyncpg.create_pool

    def recorded(*args: Any, **options: Any) -> Any:
        pools.append(create_pool(*args, **options))
        return pools[-1]

    monkeypatch.setattr(asyncpg, "create_pool", recorded)
    host: Any = ShardHost.__new__(ShardHost)
    await host.__init__(options, "host-0")
    connection = await asyncpg.connect(database_address)
    leads = asyncio.create_task(lead(database_address))
    try:
        yield Platform(host, connection)
    finally:
        leads.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await leads
        await host._tasks.close()
        await connection.close()
        for pool in pools:  # a host's end is its process's
            pool.terminate()


@pytest.mark.parametrize("seconds", [0.0, 2.5], ids=["at once", "after heartbeats"])
async def test_what_a_restored_backup_lost_is_lost_in_memory_and_writes_go_on(
    platform: Platform, seconds: float
) -> None:
    assert await platform.call("add", 1) == 1
    known, incarnation = await platform.map(), platform.incarnation
    await platform.back_up()
    for number in range(3):
        assert await platform.call("add", 10) == 1 + 10 * (number + 1)
    await asyncio.sleep(seconds)
    assert await platform.map() == known
    await platform.restore()
    # This one is on its way before the host has sent a heartbeat.
    assert await platform.call("add", 100) == 101
    assert await platform.stored_total() == 101
    assert await platform.call("total") == 101
    assert platform.incarnation != incarnation
    assert await platform.call("add", 1) == 102
    assert await platform.stored_total() == 102


async def test_a_host_that_wrote_nothing_since_the_backup_rereads_too(platform: Platform) -> None:
    """What it read may be of rows that others wrote and that are lost."""
    await platform.call("add", 1)
    await platform.back_up()
    incarnation = platform.incarnation
    await asyncio.sleep(2.5)
    await platform.connection.execute("UPDATE entity_snapshots SET body = $1", msgpack.packb(7))
    await platform.restore()
    async with asyncio.timeout(60):
        while platform.incarnation == incarnation:
            await asyncio.sleep(0.01)
    assert await platform.call("total") == 1


async def test_a_transaction_that_is_lost_locks_out_none_that_follows() -> None:
    history = History()
    first = history.begin()
    history.committed(first, 1.0)
    stuck = history.begin()
    assert stuck is first
    history.lost(stuck)
    assert history.begin().id != first.id
    assert history.known().commits == {first.id: 1}, "it is compared still"
    history.beat(2.5)
    assert history.known().commits == {}, "who lacks it lacks this heartbeat"
