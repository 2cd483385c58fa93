"""Calls to counter entities through the runtime's router."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from actors.counters.entity import KIND_NAME, counted_from_wire
from actors.runtime import CallError
from actors.runtime.transport.reads import read as read_many
from actors.runtime.transport.router import Router
from actors.runtime.value import Value
from cluster.postgres import Database
from features.counters.model import Counted, Target
from features.counters.ports import CountersUnavailable

_READ_S = 0.5
"""What takes longer is read from Postgres."""
_WRITE_S = 10.0
_MAX_READS = 5
"""Reads of one entity before its answer comes from Postgres."""


class CounterCalls:
    """Implements features.counters.ports.Counters."""

    def __init__(self, router: Router) -> None:
        self._router = router

    async def react(self, target: Target, account_id: UUID, kind: str | None, at: datetime) -> None:
        """See Counters.react."""
        await self._call(target, ["react", account_id.bytes, kind, at.timestamp()])

    async def read(self, targets: Sequence[Target], viewer_id: UUID | None) -> list[Counted]:
        """See Counters.read."""
        self._require_map()
        account = viewer_id.bytes if viewer_id else None
        entities = [target.name for target in targets]
        try:
            values = await read_many(self._router, KIND_NAME, entities, account, _READ_S)
            for _ in range(_MAX_READS):
                if all(values):
                    break
                missing = [index for index, value in enumerate(values) if value is None]
                # All at once, without a task for each: they go in one frame per host.
                calls = [
                    self._router.call(KIND_NAME, entities[index], ["read", account], _READ_S, patient=False)
                    for index in missing
                ]
                for index, value in zip(missing, await asyncio.gather(*calls), strict=True):
                    values[index] = value
        except CallError as error:
            raise _unavailable(error) from error
        if not all(values):
            raise CountersUnavailable("reactions are dropped from memory faster than they are read")
        return [*map(counted_from_wire, values)]

    async def reload(self, target: Target) -> None:
        """See Counters.reload."""
        await self._call(target, ["reload"])

    async def _call(self, target: Target, message: Value) -> None:
        self._require_map()
        try:
            await self._router.call(KIND_NAME, target.name, message, _WRITE_S)
        except CallError as error:
            raise _unavailable(error) from error

    def _require_map(self) -> None:
        if not self._router.view.version:
            raise CountersUnavailable("the runtime has not started")


def open_calls(router: Router, _database: Database) -> CounterCalls:
    """Returns the counters of a process."""
    return CounterCalls(router)


def _unavailable(error: CallError) -> CountersUnavailable:
    return CountersUnavailable(f"{type(error).__name__}: {error}")
