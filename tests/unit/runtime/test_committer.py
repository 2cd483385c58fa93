"""The committer over a store that the test opens and breaks: which turns go together, and who fails with whom."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import asyncpg
import pytest

from actors.runtime.hosting.committer import Committer
from actors.runtime.store.rows import AlreadyAnswered, Fence, StaleEpoch
from actors.runtime.store.turn_writes import TurnWrite


class Store:
    """Commits batches once it is ``open``. A batch with a ``poisonous`` entity fails as a whole."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.begun: list[list[str]] = []
        self.brief: list[list[str]] = []
        self.hung: set[str] = set()
        """Entities whose transaction, once it is theirs alone, ends when ``release`` is set."""
        self.release = asyncio.Event()
        self.committed: list[str] = []
        self.refuses: dict[str, Exception] = {}
        self.poisonous: set[str] = set()
        self.error: Exception = ValueError("poison")

    async def commit(self, writes: Sequence[TurnWrite], *, briefly: bool = False) -> Mapping[TurnWrite, Exception]:
        names = [write.entity_id for write in writes]
        self.begun.append(names)
        if briefly:
            self.brief.append(names)
        await self.open.wait()
        if self.hung == set(names):
            await self.release.wait()
        if self.poisonous & set(names):
            raise self.error
        self.committed += [name for name in names if name not in self.refuses]
        return {write: self.refuses[write.entity_id] for write in writes if write.entity_id in self.refuses}


def commit(committer: Committer, name: str, shard: int) -> asyncio.Future[None]:
    return committer.commit(TurnWrite(Fence("book", shard, "host", 1), name, ()))


async def begun(store: Store, batches: int) -> None:
    async with asyncio.timeout(60):
        while len(store.begun) < batches:
            await asyncio.sleep(0)


async def test_turns_that_are_ready_together_share_a_transaction_and_the_next_one_fills_meanwhile() -> None:
    store = Store()
    committer = Committer(store, transactions=1)
    first = [commit(committer, f"a{n}", n) for n in range(50)]
    await begun(store, 1)
    second = [commit(committer, f"b{n}", n) for n in range(50)]
    await asyncio.sleep(0)
    assert not any(turn.done() for turn in first), "acknowledged after the commit"
    store.open.set()
    await asyncio.gather(*first, *second)
    assert [len(batch) for batch in store.begun] == [50, 50]


async def test_a_shard_is_in_one_transaction_at_a_time_and_others_do_not_wait_for_it() -> None:
    store = Store()
    committer = Committer(store, transactions=2)
    turns = [commit(committer, "first", 1)]
    await begun(store, 1)
    turns += [commit(committer, "same shard", 1), commit(committer, "other shard", 2)]
    await begun(store, 2)
    assert store.begun == [["first"], ["other shard"]]
    store.open.set()
    await asyncio.gather(*turns)
    assert store.begun[2:] == [["same shard"]]


async def test_a_transaction_has_at_most_so_many_turns() -> None:
    store = Store()
    store.open.set()
    committer = Committer(store, transactions=1, max_turns=4)
    await asyncio.gather(*(commit(committer, str(n), n) for n in range(10)))
    assert [len(batch) for batch in store.begun] == [4, 4, 2]
    assert store.committed == [str(n) for n in range(10)]


@pytest.mark.parametrize("size", [1, 2, 7, 64])
async def test_a_turn_that_its_transaction_fails_of_takes_no_other_with_it(size: int) -> None:
    store = Store()
    store.open.set()
    store.poisonous = {"3", "40"}
    committer = Committer(store)
    names = [str(n) for n in range(size)]
    results = await asyncio.gather(*(commit(committer, name, int(name)) for name in names), return_exceptions=True)
    failed = {name for name, result in zip(names, results, strict=True) if result is not None}
    assert failed == store.poisonous & set(names)
    assert store.committed == [name for name in names if name not in failed]


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.InterfaceError("the server expects 1 argument for this query, 2 were passed"),
        asyncpg.DataError("invalid input for query argument $1"),
        asyncpg.UniqueViolationError("duplicate key"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_statement_that_cannot_run_fails_only_the_turn_that_wrote_it(error: Exception) -> None:
    store = Store()
    store.open.set()
    store.poisonous, store.error = {"1"}, error
    committer = Committer(store)
    results = await asyncio.gather(*(commit(committer, str(n), n) for n in range(4)), return_exceptions=True)
    assert results == [None, error, None, None]


@pytest.mark.parametrize(
    "error",
    [asyncpg.LockNotAvailableError("lock timeout"), asyncpg.QueryCanceledError("statement timeout")],
    ids=lambda error: type(error).__name__,
)
async def test_others_do_not_wait_long_for_a_turn_that_takes_too_long_and_it_has_its_full_time_alone(
    error: Exception,
) -> None:
    store = Store()
    store.open.set()
    store.poisonous, store.error = {"2"}, error
    committer = Committer(store)
    results = await asyncio.gather(*(commit(committer, str(n), n) for n in range(8)), return_exceptions=True)
    assert [n for n, result in enumerate(results) if result is not None] == [2]
    assert store.begun[0] not in store.brief, "how long it takes is not known yet"
    assert store.brief == [batch for batch in store.begun[1:] if len(batch) > 1]
    assert ["2"] in store.begun


async def test_where_all_turns_take_too_long_they_are_not_tried_by_halves_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("actors.runtime.hosting.committer.HALVING_SECONDS", 1e-9)
    store = Store()
    store.open.set()
    store.poisonous = {str(n) for n in range(32)}
    store.error = asyncpg.LockNotAvailableError("lock timeout")
    committer = Committer(store)
    results = await asyncio.gather(*(commit(committer, str(n), n) for n in range(64)), return_exceptions=True)
    assert results == [store.error] * 32 + [None] * 32, "whoever is left is tried once more"
    assert [len(batch) for batch in store.begun] == [64, 32, 32]
    await commit(committer, "next", 3)


async def test_a_shards_next_turn_does_not_wait_for_halves_that_it_has_no_part_in() -> None:
    store = Store()
    store.open.set()
    store.poisonous = store.hung = {"hangs"}
    committer = Committer(store)
    turns = [commit(committer, "good", 1), commit(committer, "hangs", 2)]
    await begun(store, 3)
    async with asyncio.timeout(60):
        await turns[0]
        await commit(committer, "next of shard 1", 1)
    waits = commit(committer, "next of shard 2", 2)
    await asyncio.sleep(0)
    store.release.set()
    await asyncio.gather(*turns, waits, return_exceptions=True)
    assert store.begun[-2:] == [["next of shard 1"], ["next of shard 2"]]


async def test_turns_that_are_refused_fail_alone() -> None:
    store = Store()
    store.open.set()
    store.refuses = {"1": StaleEpoch("moved"), "2": AlreadyAnswered("ran")}
    committer = Committer(store)
    results = await asyncio.gather(*(commit(committer, str(n), n) for n in range(4)), return_exceptions=True)
    assert [type(result) for result in results] == [type(None), StaleEpoch, AlreadyAnswered, type(None)]


async def test_a_lost_connection_fails_all_turns_of_its_transaction_and_is_not_tried_by_halves() -> None:
    """The store has tried again by itself: it is not for one turn's sake."""
    store = Store()
    store.open.set()
    store.poisonous, store.error = {"1"}, OSError("connection lost")
    committer = Committer(store)
    results = await asyncio.gather(*(commit(committer, str(n), n) for n in range(4)), return_exceptions=True)
    assert [type(result) for result in results] == [OSError] * 4
    assert len(store.begun) == 1
    store.poisonous.clear()
    await commit(committer, "5", 5)


async def test_closing_cancels_those_whose_turns_wait_or_are_being_committed() -> None:
    store = Store()
    committer = Committer(store, transactions=1)
    turns = [commit(committer, "under way", 1)]
    await begun(store, 1)
    turns += [commit(committer, "waits", 2), commit(committer, "waits too", 1)]
    await asyncio.sleep(0)
    await committer.close()
    async with asyncio.timeout(60):
        results = await asyncio.gather(*turns, return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError] * 3
    assert store.committed == []
    assert len(store.begun) == 1
