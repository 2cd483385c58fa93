"""What the database enforces by itself: fences, leases, terms."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from actors.runtime.store.rows import AlreadyAnswered, Answer, Fence, HostRow, LostLeadership, ShardRow, StaleEpoch
from actors.runtime.store.shard_store import ShardStore

ROW = HostRow("host-0.1", "host-0", "node", "127.0.0.1:1", "/tmp/x", False, {})
MINE = Fence("book", 7, "host-0.1", 1)


@pytest.fixture
async def store(database_address: str) -> AsyncIterator[ShardStore]:
    store = await ShardStore.open(database_address, application="test")
    yield store
    await store.close()


async def leading(store: ShardStore, lease: float = 30.0) -> int:
    term = await store.lead("c", lease)
    assert term is not None
    return term


async def owned(store: ShardStore) -> int:
    term = await leading(store)
    await store.write_map(term, [ShardRow("book", 7, "host-0.1", 1)])
    return term


async def test_the_owner_s_writes_go_through_and_a_later_epoch_s_do_not(store: ShardStore) -> None:
    term = await owned(store)
    await store.save_snapshot(MINE, "b", 3, b"one")
    assert await store.load_snapshot("book", "b") == (3, b"one")
    await store.write_map(term, [ShardRow("book", 7, "host-1.1", 2)])
    with pytest.raises(StaleEpoch):
        await store.save_snapshot(MINE, "b", 3, b"two")
    with pytest.raises(StaleEpoch):
        await store.save_snapshot(Fence("book", 7, "host-0.1", 2), "b", 3, b"two")
    with pytest.raises(StaleEpoch):
        await store.save_snapshot(Fence("book", 8, "host-0.1", 1), "b", 3, b"two")
    assert await store.load_snapshot("book", "b") == (3, b"one")


async def test_a_new_epoch_waits_for_a_write_under_way_and_the_new_owner_sees_it(store: ShardStore) -> None:
    term = await owned(store)
    async with store.fenced(MINE, [Answer(b"caller-1", 5, b"done")]):
        takeover = asyncio.create_task(store.write_map(term, [ShardRow("book", 7, "host-1.1", 2)]))
        done, _ = await asyncio.wait([takeover], timeout=0.3)
        assert not done
    await takeover
    assert [answer for _, _, answer in await store.answers([("book", 7)])] == [Answer(b"caller-1", 5, b"done")]


async def test_a_host_that_vanishes_inside_a_transaction_does_not_block_its_successor(store: ShardStore) -> None:
    term = await owned(store)

    async def vanish() -> None:
        async with store.fenced(MINE) as connection:
            await store.write_map(term, [ShardRow("book", 7, "host-1.1", 2)])
            await connection.execute("SELECT 1")

    with pytest.raises(Exception, match=r"(?i)idle|closed|terminat"):
        await vanish()


async def test_the_same_call_s_answer_is_stored_once(store: ShardStore) -> None:
    await owned(store)
    answer = Answer(b"caller-1", 5, b"done")
    await store.save_snapshot(MINE, "b", 1, b"one", [answer])
    with pytest.raises(AlreadyAnswered):
        await store.save_snapshot(MINE, "b", 1, b"two", [answer])
    assert await store.load_snapshot("book", "b") == (1, b"one")
    await store.forget_answers(0.0)
    assert await store.answers([("book", 7)]) == []


async def test_one_leads_until_its_lease_ends(store: ShardStore) -> None:
    assert await store.lead("a", 0.3) == 1
    assert await store.lead("a", 0.3) == 1
    assert await store.lead("b", 0.3) is None
    await asyncio.sleep(0.4)
    assert await store.lead("b", 30) == 2
    assert await store.lead("a", 30) is None
    await store.resign("b")
    assert await store.lead("a", 30) == 3


async def test_a_leader_whose_term_is_over_changes_nothing(store: ShardStore) -> None:
    old = await owned(store)
    await store.resign("c")
    await store.lead("d", 30)
    with pytest.raises(LostLeadership):
        await store.write_map(old, [ShardRow("book", 7, "host-9", 9)])
    await store.register(ROW, lease=-1)
    assert await store.expire_hosts(old) == []
    await store.mark_draining(old, ROW.host, True)
    assert not await store.deregister(old, ROW.host)
    assert [row.draining for row in await store.hosts()] == [False]
    _, rows = await store.shard_map()
    assert rows == [ShardRow("book", 7, "host-0.1", 1)]


async def test_the_map_tells_what_changed_since_a_version(store: ShardStore) -> None:
    term = await leading(store)
    first = await store.write_map(term, [ShardRow("book", n, "a", 1) for n in range(3)])
    second = await store.write_map(term, [ShardRow("book", 1, "a", 1, "b")])
    assert second == first + 1
    assert await store.shard_map(first) == (second, [ShardRow("book", 1, "a", 1, "b")])
    version, rows = await store.shard_map()
    assert version == second
    assert len(rows) == 3


async def test_a_host_lives_by_its_heartbeat_and_hears_of_its_death(store: ShardStore) -> None:
    term = await leading(store)
    await store.register(ROW, lease=30)
    assert await store.heartbeat(ROW.host, 30, {"calls": 5}) == 0
    assert [row.load for row in await store.hosts()] == [{"calls": 5}]
    assert await store.expire_hosts(term) == []
    assert await store.heartbeat(ROW.host, -1, {}) == 0
    assert await store.expire_hosts(term) == [ROW.host]
    assert await store.heartbeat(ROW.host, 30, {}) is None
    assert await store.hosts() == []
