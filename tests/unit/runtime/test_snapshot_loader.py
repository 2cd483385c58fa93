"""The loader over a store that the test opens and breaks: which entities are read together, and how failures end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from actors.runtime.hosting.snapshot_loader import SnapshotLoader
from actors.runtime.store.rows import Snapshot


class Store:
    """Answers once it is ``open``, with at most ``at_once`` snapshots a statement."""

    def __init__(self, at_once: int = 1000) -> None:
        self.open = asyncio.Event()
        self.asked: list[list[str]] = []
        self.at_once = at_once
        self.error: Exception | None = None

    async def snapshots(self, kind: str, entities: Sequence[str]) -> Mapping[str, Snapshot | None]:
        self.asked.append(list(entities))
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return {name: None if name == "new" else Snapshot(1, name.encode()) for name in entities[: self.at_once]}


def load(loader: SnapshotLoader, *names: str) -> list[asyncio.Future[Snapshot | None]]:
    return [loader.load(name) for name in names]


async def asked(store: Store, statements: int) -> None:
    async with asyncio.timeout(60):
        while len(store.asked) < statements:
            await asyncio.sleep(0)


async def test_entities_that_are_loaded_together_are_read_by_one_statement_and_the_next_one_fills_meanwhile() -> None:
    store = Store()
    loader = SnapshotLoader(store, "book", statements=1, max_entities=3)
    first = load(loader, "a", "new")
    await asked(store, 1)
    second = load(loader, "b", "c", "d", "e")
    await asyncio.sleep(0)
    store.open.set()
    assert await asyncio.gather(*first) == [Snapshot(1, b"a"), None]
    assert await asyncio.gather(*second) == [Snapshot(1, b"b"), Snapshot(1, b"c"), Snapshot(1, b"d"), Snapshot(1, b"e")]
    assert store.asked == [["a", "new"], ["b", "c", "d"], ["e"]]


async def test_what_one_statement_leaves_out_is_asked_for_again() -> None:
    store = Store(at_once=2)
    store.open.set()
    loader = SnapshotLoader(store, "book")
    assert await asyncio.gather(*load(loader, "a", "b", "c")) == [
        Snapshot(1, b"a"),
        Snapshot(1, b"b"),
        Snapshot(1, b"c"),
    ]
    assert store.asked == [["a", "b", "c"], ["c"]]


async def test_an_entity_that_is_loaded_while_it_is_read_is_read_again() -> None:
    """What it stored since would be missing."""
    store = Store()
    loader = SnapshotLoader(store, "book")
    first = load(loader, "a")
    await asked(store, 1)
    second = load(loader, "a")
    await asked(store, 2)
    store.open.set()
    assert await asyncio.gather(*first, *second) == [Snapshot(1, b"a"), Snapshot(1, b"a")]


async def test_a_statement_that_fails_fails_its_loads_and_no_later_ones() -> None:
    store = Store()
    store.open.set()
    store.error = OSError("gone")
    loader = SnapshotLoader(store, "book")
    results = await asyncio.gather(*load(loader, "a", "b"), return_exceptions=True)
    assert [type(result) for result in results] == [OSError, OSError]
    store.error = None
    assert await loader.load("a") == Snapshot(1, b"a")


async def test_a_load_that_is_cancelled_takes_no_other_with_it() -> None:
    store = Store()
    loader = SnapshotLoader(store, "book")
    first, second = load(loader, "a", "b")
    await asked(store, 1)
    first.cancel()
    store.open.set()
    assert await second == Snapshot(1, b"b")


async def test_closing_ends_loads_under_way_and_those_that_wait() -> None:
    store = Store()
    loader = SnapshotLoader(store, "book", statements=1, max_entities=1)
    loads = load(loader, "a", "b")
    await asked(store, 1)
    await loader.close()
    async with asyncio.timeout(60):
        for loading in loads:
            with pytest.raises(asyncio.CancelledError):
                await loading
