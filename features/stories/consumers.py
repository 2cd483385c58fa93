"""Deletes what was counted of deleted stories."""

from dataclasses import dataclass

from cluster.events.consumer import Consumer
from cluster.postgres import UnitOfWork
from features.counters.model import Target, TargetKind
from features.counters.ports import CountersUnavailable
from features.counters.service import CounterService
from features.events import consumer
from features.stories.events import StoryDeleted


@dataclass(frozen=True, slots=True)
class StoryCleanup:
    """Follows the deletion of stories."""

    counters: CounterService

    def consumers(self) -> list[Consumer]:
        """The consumers of this slice."""
        unavailable = (CountersUnavailable,)
        return [consumer("stories.forget", (StoryDeleted,), self._forget, outages=unavailable, outside=True)]

    async def _forget(self, uow: UnitOfWork, event: StoryDeleted) -> None:
        await self.counters.forget(uow, [Target(TargetKind.STORY, event.story_id)])
