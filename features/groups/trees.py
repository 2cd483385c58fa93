"""Trees for a while in the memory of a gateway: all who come into a group by one commit ask for the same one."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID
from weakref import WeakValueDictionary

from cluster.metrics import Counter
from features.groups.policy import GroupsPolicy

TREES = Counter("entativa_group_trees_total", "Trees that devices were given, by where they were", ["source"])


class TreeName(NamedTuple):
    """What names the same tree for ever: of a group that is gone, another may have the id, but not the time."""

    group_id: UUID
    founded_at: datetime
    epoch: int


class KeptTrees:
    """The trees of one process. It knows nothing of who may have them."""

    def __init__(self, policy: GroupsPolicy) -> None:
        self._max_bytes = policy.kept_tree_bytes
        self._for_s = policy.trees_kept.total_seconds()
        self._trees: dict[TreeName, bytes] = {}
        self._bytes = 0
        self._reading: WeakValueDictionary[TreeName, asyncio.Lock] = WeakValueDictionary()

    async def get(self, name: TreeName, read: Callable[[], Awaitable[bytes]]) -> bytes:
        """Returns the tree of a name, which one of those who ask at the same time reads. Raises what `read` raises."""
        if (kept := self._trees.get(name)) is None:
            async with self._reading.setdefault(name, asyncio.Lock()):  # there as long as somebody waits for it
                if (kept := self._trees.get(name)) is None:
                    tree = await read()
                    self._keep(name, tree)
                    TREES.labels("storage").inc()
                    return tree
        TREES.labels("memory").inc()
        return kept

    def _keep(self, name: TreeName, tree: bytes) -> None:
        if len(tree) > self._max_bytes:
            return
        self._trees[name] = tree
        self._bytes += len(tree)
        while self._bytes > self._max_bytes:
            self._drop(next(iter(self._trees)))
        asyncio.get_running_loop().call_later(self._for_s, self._drop, name)

    def _drop(self, name: TreeName) -> None:
        self._bytes -= len(self._trees.pop(name, b""))
