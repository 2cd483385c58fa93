"""What the database enforces by itself: leases, terms, versions of the map. Fences: tests/integration/runtime."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from actors.runtime.store.history import Known
from actors.runtime.store.rows import (
    Heartbeat,
    HostRow,
    Leadership,
    LostLeadership,
    MapRead,
    MapWrite,
    ShardRow,
)
from actors.runtime.store.shard_store import ShardStore

ROW = HostRow("host-0.1", "host-0", "node", "127.0.0.1:1", "/tmp/x", False, {})


@pytest.fixture
async def store(database_address: str) -> AsyncIterator[ShardStore]:
    store = await ShardStore.open(database_address, application="test")
    yield store
    await store.close()


class Candidate:
    """A leader that keeps track of the map it has written."""

    def __init__(self, store: ShardStore, leadership: Leadership) -> None:
        self.store = store
        self.leadership = leadership

    @property
    def generation(self) -> str:
        return self.leadership.position.generation

    async def write(self, *rows: ShardRow) -> MapWrite:
        write = await self.store.write_map(self.leadership, rows)
        self.leadership = Leadership(self.leadership.term, write.position)
        return write


async def leading(store: ShardStore, holder: str = "c", lease: float = 30.0) -> Candidate:
    leadership = (await store.lead(holder, lease)).leadership
    assert leadership is not None
    return Candidate(store, leadership)


async def owned(store: ShardStore) -> Candidate:
    leader = await leading(store)
    await leader.write(ShardRow("book", 7, "host-0.1", 1))
    return leader


async def test_one_leads_until_its_lease_ends(store: ShardStore) -> None:
    first = await leading(store, "a", lease=60)
    assert first.leadership.term == 1
    refused = await store.lead("b", 60)
    assert refused.leadership is None
    assert 0 < refused.lease_left <= 60, "it knows when to try again"
    await store.renew(first.generation, -1)  # its lease has run out
    second = await leading(store, "b")
    assert second.leadership.term == 2
    assert (await store.lead("a", 60)).leadership is None
    with pytest.raises(LostLeadership):
        await store.renew(first.generation, 60)
    await store.resign("b")
    assert (await leading(store, "a")).leadership.term == 3


async def test_a_leader_whose_term_is_over_changes_nothing(store: ShardStore) -> None:
    old = await owned(store)
    await store.resign("c")
    await leading(store, "d")
    with pytest.raises(LostLeadership):
        await old.write(ShardRow("book", 7, "host-9", 9))
    await store.register(ROW, lease=-1)
    with pytest.raises(LostLeadership):
        await store.renew(old.generation, 30)
    await store.mark_draining(old.generation, ROW.host, True)
    assert not await store.deregister(old.generation, ROW.host)
    assert [row.draining for row in await store.hosts()] == [False]
    assert (await store.shard_map()).rows == [ShardRow("book", 7, "host-0.1", 1)]


async def test_a_leader_that_does_not_know_the_stored_map_changes_nothing(store: ShardStore) -> None:
    leader = await owned(store)
    before = leader.leadership
    await leader.write(ShardRow("book", 7, "host-1.1", 2))
    with pytest.raises(LostLeadership):
        await store.write_map(before, [ShardRow("book", 7, "host-2.1", 2)])
    again = await leading(store)  # it leads already, and begins anew
    assert again.leadership.term == 2
    assert again.leadership.position.version == leader.leadership.position.version
    with pytest.raises(LostLeadership):
        await leader.write(ShardRow("book", 7, "host-2.1", 2))
    assert (await again.write(ShardRow("book", 7, "host-2.1", 3))).written


async def test_the_map_tells_what_changed_since_a_version(store: ShardStore) -> None:
    leader = await leading(store)
    first = (await leader.write(*(ShardRow("book", n, "a", 1) for n in range(3)))).position
    second = (await leader.write(ShardRow("book", 1, "a", 1, "b"))).position
    assert second.version == first.version + 1
    assert await store.shard_map(first) == MapRead(second, [ShardRow("book", 1, "a", 1, "b")])
    assert await store.shard_map(second) == MapRead(second, [])
    read = await store.shard_map()
    assert read.position == second
    assert len(read.rows) == 3


async def test_the_next_leader_s_map_continues_the_one_before(store: ShardStore) -> None:
    first = await owned(store)
    known = first.leadership.position
    second = await leading(store)
    changed = ShardRow("book", 8, "a", 1)
    position = (await second.write(changed)).position
    assert position.generation != known.generation
    assert await store.shard_map(known) == MapRead(position, [changed])
    await store.register(ROW, lease=30)
    beat = await store.heartbeat(ROW.host, 30, {}, known)
    assert beat == Heartbeat(position, continues=True)


async def test_who_knows_more_than_a_restored_database_reads_it_all(store: ShardStore) -> None:
    """The tables are put back to an earlier state, and a leader goes on from there, past the version that was known."""
    leader = await owned(store)
    backup = leader.leadership.position
    lost = (await leader.write(ShardRow("book", 7, "host-1.1", 2))).position
    late = (await (await leading(store)).write(ShardRow("book", 7, "host-2.1", 3))).position
    await store._pool.execute("DELETE FROM shard_generations WHERE term > 1")
    await store._pool.execute("UPDATE shard_coordinator SET map_version = $2, generation = $1, term = 1", *backup)
    await store._pool.execute("UPDATE shards SET host = 'host-0.1', epoch = 1, version = $1", backup.version)
    with pytest.raises(LostLeadership):
        await leader.write(ShardRow("book", 7, "host-3.1", 2))
    after = await leading(store, "c")
    rows = [ShardRow("book", 7, "host-3.1", 2), ShardRow("book", 8, "host-3.1", 1), ShardRow("book", 9, "host-3.1", 1)]
    for row in rows:
        position = (await after.write(row)).position
    assert position.version > late.version
    await store.register(ROW, lease=30)
    for known, continues in ((lost, False), (late, False), (backup, True)):
        read = await store.shard_map(known)
        assert (read.continues, len(read.rows)) == (continues, 3)
        assert await store.heartbeat(ROW.host, 30, {}, known) == Heartbeat(position, continues)


async def test_a_host_lives_by_its_heartbeat_and_hears_of_its_death(store: ShardStore) -> None:
    leader = await leading(store)
    empty = leader.leadership.position
    await store.register(ROW, lease=30)
    assert await store.heartbeat(ROW.host, 30, {"calls": 5}) == Heartbeat(empty, continues=True)
    assert [row.load for row in await store.hosts()] == [{"calls": 5}]
    renewal = await store.renew(leader.generation, 30)
    assert [row.load for row in renewal.hosts] == [{"calls": 5}]
    assert 0 < renewal.next_expiry <= 30
    assert await store.heartbeat(ROW.host, -1, {}) == Heartbeat(empty, continues=True)
    assert (await store.renew(leader.generation, 30)).hosts == []
    assert await store.heartbeat(ROW.host, 30, {}) is None
    assert await store.hosts() == []


async def test_a_heartbeat_tells_that_the_database_lacks_one_before_or_a_transaction(store: ShardStore) -> None:
    await leading(store)
    await store.register(ROW, lease=30)
    series = uuid4()

    async def beat(at: float, known: Known) -> bool:
        beat = await store.heartbeat(ROW.host, 30, {}, at=at, known=known)
        assert beat is not None
        return beat.continues

    assert await beat(5.0, Known())
    assert await beat(6.0, Known(5.0))
    await store._pool.execute("UPDATE shard_hosts SET beat_at = 2.0")
    for _ in range(2):  # whoever has not heard of it asks again
        assert not await beat(7.0, Known(5.0))
    assert await beat(8.0, Known(2.0))
    assert not await beat(9.0, Known(2.0, {series: 3}))
    await store._pool.execute("INSERT INTO turn_commits (series, number) VALUES ($1, 2)", series)
    assert not await beat(9.0, Known(2.0, {series: 3}))
    assert await beat(9.0, Known(2.0, {series: 2}))
    await store.forget_commits(60.0)
    assert await beat(10.0, Known(2.0, {series: 2}))
    await store.forget_commits(0.0)
    assert not await beat(11.0, Known(2.0, {series: 2}))


async def test_a_statement_that_hangs_keeps_no_other_shard_from_moving(
    store: ShardStore, database_address: str
) -> None:
    """Two hosts die; a statement of one of them runs on in Postgres, under the fence of one of its shards."""
    leader = await leading(store)
    await leader.write(*(ShardRow("book", n, "a" if n < 512 else "b", 1) for n in range(1024)))
    hanging = await asyncpg.connect(database_address)
    pid = hanging.get_server_pid()
    try:
        await hanging.execute("BEGIN")
        await hanging.execute("SELECT FROM shards WHERE kind = 'book' AND shard = 7 FOR SHARE")
        statement = asyncio.ensure_future(hanging.execute("SELECT pg_sleep(600)"))
        taken_over = [ShardRow("book", n, "c", 2) for n in range(1024)]
        write = await leader.write(*taken_over)
        assert set(write.written) == {row for row in taken_over if row.shard != 7}
        assert not statement.done()
        # The leadership is as free as the other shards.
        await store.with_timeout(30, store.renew(leader.generation, 60))
        assert (await store.with_timeout(30, store.lead("another", 60))).leadership is None
        assert (await leader.write(taken_over[7])).written == []
        assert not statement.done()
        await store._pool.execute("SELECT pg_terminate_backend($1)", pid)
        with contextlib.suppress(asyncpg.PostgresError, OSError):
            await statement
        async with asyncio.timeout(60):
            while not (await leader.write(taken_over[7])).written:
                await asyncio.sleep(0.1)
    finally:
        hanging.terminate()


async def test_the_server_ends_the_statements_of_clients_that_are_gone(store: ShardStore) -> None:
    connection = await store._pool.acquire()
    pid = connection.get_server_pid()
    statement = asyncio.ensure_future(connection.execute("SELECT pg_sleep(600)"))
    running = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1 AND state = 'active'"
    async with asyncio.timeout(60):
        while await store._pool.fetchval(running, pid) == 0:
            await asyncio.sleep(0.05)
    connection.terminate()
    with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        await statement
    async with asyncio.timeout(60):
        while await store._pool.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", pid) > 0:
            await asyncio.sleep(0.1)
