"""Loads counters from Postgres: those of all targets that are asked for together are read by one statement.

A page of posts that nobody has looked at for a while loads as many entities as it has posts.
"""

import asyncio
from itertools import islice
from uuid import UUID

from actors.runtime.supervise import BackgroundTasks
from cluster.cancellation import raise_if_cancelled
from cluster.postgres import Database
from features.counters import store
from features.counters.store import Loaded

STATEMENTS = 2
"""Statements under way at once; others wait, so that a restarted host does not overload Postgres."""
MAX_TARGETS = 64


class CounterLoader:
    """Loads the counters of one host's entities."""

    def __init__(self, database: Database, max_reactions: int) -> None:
        self._database = database
        self._max_reactions = max_reactions
        self._waiting: dict[UUID, asyncio.Future[Loaded]] = {}
        self._under_way = 0
        self._scheduled = False
        self._tasks = BackgroundTasks()

    async def load(self, target_id: UUID) -> Loaded:
        """Returns a target's counters as of a time after this call. Raises what the database raised."""
        loaded = self._waiting.get(target_id)
        if loaded is None:
            loaded = self._waiting[target_id] = asyncio.get_running_loop().create_future()
            if not self._scheduled:
                self._scheduled = True
                asyncio.get_running_loop().call_soon(self._begin)
        return await asyncio.shield(loaded)

    async def close(self) -> None:
        """Cancels what is under way or waits."""
        for loaded in self._waiting.values():
            loaded.cancel()
        self._waiting.clear()
        await self._tasks.close()

    def _begin(self) -> None:
        self._scheduled = False
        while self._waiting and self._under_way < STATEMENTS:
            batch = {target: self._waiting.pop(target) for target in list(islice(self._waiting, MAX_TARGETS))}
            self._under_way += 1
            self._tasks.spawn("counters.load", self._run(batch))

    async def _run(self, batch: dict[UUID, asyncio.Future[Loaded]]) -> None:
        try:
            async with self._database.unit_of_work(read_only=True) as uow:
                found = await store.load(uow, list(batch), self._max_reactions)
            for target, loaded in batch.items():
                if not loaded.done():
                    loaded.set_result(found[target])
        except Exception as error:  # noqa: BLE001 - handed to those that wait
            raise_if_cancelled()
            for loaded in batch.values():
                if not loaded.done():
                    loaded.set_exception(error)
        finally:
            for loaded in batch.values():
                loaded.cancel()  # only where this task was cancelled is one left
            self._under_way -= 1
            self._begin()
