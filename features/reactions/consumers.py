"""Deletes the reactions to what was deleted."""

from dataclasses import dataclass

from cluster.events.consumer import Consumer
from cluster.postgres import UnitOfWork
from features.counters.model import Target, TargetKind
from features.counters.ports import CountersUnavailable
from features.counters.service import CounterService
from features.events import consumer
from features.posts.events import PostDeleted


@dataclass(frozen=True, slots=True)
class ReactionCleanup:
    """Follows the deletion of targets."""

    counters: CounterService

    def consumers(self) -> list[Consumer]:
        """The consumers of this slice."""
        return [
            consumer("reactions.forget", (PostDeleted,), self._forget, outages=(CountersUnavailable,), outside=True)
        ]

    async def _forget(self, uow: UnitOfWork, event: PostDeleted) -> None:
        await self.counters.forget(uow, [Target(TargetKind.POST, event.post_id)])
