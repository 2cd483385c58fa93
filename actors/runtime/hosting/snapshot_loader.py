"""Loads stored snapshots: those of all entities that are to be loaded together are read by one statement.

While statements are under way the next one fills, as in group commit. Ten thousand timers that are due in one second
load ten thousand entities; at one statement each, they wait for connections.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Protocol

from actors.runtime.store.rows import Snapshot
from actors.runtime.store.transaction_errors import is_connection_error
from actors.runtime.supervise import BackgroundTasks
from cluster.cancellation import raise_if_cancelled

STATEMENTS = 2
"""Statements of one kind that are under way at the same time."""
MAX_ENTITIES = 256
"""Snapshots that one statement is asked for."""


class SnapshotStore(Protocol):
    """Where snapshots are read: `ShardStore`."""

    async def snapshots(self, kind: str, entities: Sequence[str]) -> Mapping[str, Snapshot | None]:
        """See StoredEntities.snapshots."""


class SnapshotLoader:
    """Loads the snapshots of one kind's entities at one host."""

    def __init__(
        self, store: SnapshotStore, kind: str, *, statements: int = STATEMENTS, max_entities: int = MAX_ENTITIES
    ) -> None:
        self._store = store
        self._kind = kind
        self._statements = statements
        self._max_entities = max_entities
        self._waiting: dict[str, asyncio.Future[Snapshot | None]] = {}
        self._under_way = 0
        self._scheduled = False
        self._tasks = BackgroundTasks()

    def load(self, entity_id: str) -> asyncio.Future[Snapshot | None]:
        """The stored snapshot, if any, as of a time after this call. Its exception is what the database raised for
        this entity, or because it could not be reached. Whoever else loads the entity may have the same future."""
        loaded = self._waiting.get(entity_id)
        if loaded is None:
            loaded = self._waiting[entity_id] = asyncio.get_running_loop().create_future()
            if not self._scheduled:
                # Not at once: what else is to be loaded in this iteration of the event loop goes with it.
                self._scheduled = True
                asyncio.get_running_loop().call_soon(self._begin)
        return loaded

    async def close(self) -> None:
        """Cancels what is under way or waits."""
        waiting, self._waiting = self._waiting, {}
        for loaded in waiting.values():
            loaded.cancel()
        await self._tasks.close()

    def _begin(self) -> None:
        self._scheduled = False
        while self._waiting and self._under_way < self._statements:
            first = list(islice(self._waiting, self._max_entities))
            batch = {entity_id: self._waiting.pop(entity_id) for entity_id in first}
            self._under_way += 1
            self._tasks.spawn("snapshots.load", self._run(batch))

    async def _run(self, batch: Mapping[str, asyncio.Future[Snapshot | None]]) -> None:
        try:
            await self._read(batch)
        finally:
            for loaded in batch.values():
                loaded.cancel()  # only where this task was cancelled is one left
            self._under_way -= 1
            self._begin()

    async def _read(self, batch: Mapping[str, asyncio.Future[Snapshot | None]]) -> None:
        """Reads the batch, by halves if it fails as a whole: an id that the database refuses fails alone."""
        missing = dict(batch)
        try:
            while missing:
                # Large ones come in more than one read.
                read = await self._store.snapshots(self._kind, list(missing))
                for entity_id, snapshot in read.items():
                    loaded = missing.pop(entity_id)
                    if not loaded.done():
                        loaded.set_result(snapshot)
        except Exception as error:  # noqa: BLE001 - handed to those that wait
            raise_if_cancelled()
            if is_connection_error(error) or len(missing) == 1:
                for loaded in missing.values():
                    if not loaded.done():
                        loaded.set_exception(error)
                return
            left = list(missing.items())
            middle = len(left) // 2
            await self._read(dict(left[:middle]))
            await self._read(dict(left[middle:]))
