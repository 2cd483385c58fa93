"""Has the counters of posts in memory read how often they are shared."""

from collections.abc import Sequence
from dataclasses import dataclass

from cluster.events.consumer import Consumer
from cluster.events.event import Event
from cluster.logs import logger
from cluster.postgres import UnitOfWork
from features.counters.model import Target, TargetKind
from features.counters.ports import CountersUnavailable
from features.counters.service import CounterService
from features.events import reader
from features.posts.events import PostShared, PostUnshared

_SHARES = (PostShared, PostUnshared)

_read = reader(_SHARES)

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class ShareCounts:
    """Follows reposts and quotes."""

    counters: CounterService

    def consumers(self) -> list[Consumer]:
        """The consumers of this part of the slice."""
        types = frozenset(body.type for body in _SHARES)
        return [Consumer("posts.share_counts", types, self._consume, outages=(CountersUnavailable,))]

    async def after_commit(self, events: Sequence[Event]) -> None:
        """Has counters read what was just committed, so that whoever shared a post sees it. Raises nothing: the
        consumer repeats what fails here."""
        try:
            await self._reload(events)
        except CountersUnavailable as error:
            log.warning("counts of shares not updated after commit", reason=str(error))

    async def _consume(self, _uow: UnitOfWork, events: Sequence[Event]) -> None:
        await self._reload(events)

    async def _reload(self, events: Sequence[Event]) -> None:
        if post_ids := {body.post_id for event in events if (body := _read(event)) is not None}:
            await self.counters.reload([Target(TargetKind.POST, post_id) for post_id in post_ids])
