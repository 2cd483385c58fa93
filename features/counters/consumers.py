"""Tells entities of counts that others have changed."""

from dataclasses import dataclass

from cluster.events.consumer import Consumer
from cluster.postgres import UnitOfWork
from features.counters.events import CountsCorrected
from features.counters.model import Target
from features.counters.ports import Counters, CountersUnavailable
from features.events import consumer


@dataclass(frozen=True, slots=True)
class CounterUpdates:
    """Has entities read what was corrected in Postgres."""

    counters: Counters

    def consumers(self) -> list[Consumer]:
        """The consumers of this slice."""
        return [consumer("counters.reload", (CountsCorrected,), self._reload, outages=(CountersUnavailable,))]

    async def _reload(self, _uow: UnitOfWork, event: CountsCorrected) -> None:
        await self.counters.reload(Target(event.target_kind, event.target_id))
