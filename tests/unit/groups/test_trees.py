"""Trees are read once for all who ask, and are not kept for long."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from features.groups.errors import NoSuchGroup
from features.groups.policy import GroupsPolicy
from features.groups.trees import KeptTrees, TreeName

_POLICY = GroupsPolicy()
_FOUNDED_AT = datetime(2026, 11, 22, tzinfo=UTC)


class Storage:
    """Trees of 10 bytes, and how often each was read."""

    def __init__(self) -> None:
        self.read: list[int] = []
        self.held = asyncio.Event()
        self.held.set()

    async def ask(self, trees: KeptTrees, epoch: int) -> bytes:
        async def read() -> bytes:
            self.read.append(epoch)
            await self.held.wait()
            return b"%10d" % epoch

        return await trees.get(TreeName(UUID(int=1), _FOUNDED_AT, epoch), read)


async def test_one_reads_for_all_who_ask_at_the_same_time() -> None:
    trees, storage = KeptTrees(_POLICY), Storage()
    storage.held.clear()
    asking = [asyncio.create_task(storage.ask(trees, epoch)) for epoch in (1, 1, 1, 2)]
    await asyncio.sleep(0)
    asking[0].cancel()
    storage.held.set()
    cancelled, *found = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(cancelled, asyncio.CancelledError)
    assert found == [b"%10d" % 1, b"%10d" % 1, b"%10d" % 2]
    assert storage.read == [1, 2, 1], "another one reads instead of one that was cancelled"


async def test_groups_that_have_had_the_same_id_are_told_apart() -> None:
    trees = KeptTrees(_POLICY)
    for days in range(2):
        name = TreeName(UUID(int=1), _FOUNDED_AT + timedelta(days=days), 1)

        async def read(tree: bytes = b"%d" % days) -> bytes:
            return tree

        assert await trees.get(name, read) == b"%d" % days


async def test_memory_is_bounded() -> None:
    trees, storage = KeptTrees(replace(_POLICY, kept_tree_bytes=25)), Storage()
    for epoch in (1, 2, 2, 3, 2, 1):
        await storage.ask(trees, epoch)
    assert storage.read == [1, 2, 3, 1]
    small, storage = KeptTrees(replace(_POLICY, kept_tree_bytes=9)), Storage()
    for _ in range(2):
        await storage.ask(small, 1)
    assert storage.read == [1, 1]


async def test_trees_are_forgotten_soon() -> None:
    trees, storage = KeptTrees(replace(_POLICY, trees_kept=timedelta(0))), Storage()
    async with asyncio.timeout(60):
        while len(storage.read) < 2:
            await storage.ask(trees, 1)
            await asyncio.sleep(0)


async def test_what_could_not_be_read_is_asked_for_again() -> None:
    trees, storage = KeptTrees(_POLICY), Storage()

    async def fail() -> bytes:
        raise NoSuchGroup

    with pytest.raises(NoSuchGroup):
        await trees.get(TreeName(UUID(int=1), _FOUNDED_AT, 1), fail)
    assert await storage.ask(trees, 1) == b"%10d" % 1
