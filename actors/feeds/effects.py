"""Executes the effects of timeline entities: loads them from Postgres."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from actors.feeds.entity import AUTHOR, FeedEntity
from actors.runtime import EffectHandler, KindContext, Turn, Value
from cluster.metrics import Counter
from features.feed import loading
from features.feed.policy import FeedPolicy

LOADED = Counter("entativa_feed_loads_total", "Timelines loaded from Postgres")

_MAX_LOADS = 4
"""Loads in progress in one host; others wait, so that a restarted host does not overload Postgres."""


class FeedEffects(EffectHandler[FeedPolicy]):
    """Effects of the timeline entities of one host process."""

    def __init__(self, context: KindContext[FeedPolicy]) -> None:
        super().__init__(context)
        self._slots = asyncio.Semaphore(_MAX_LOADS)

    async def act(self, turn: Turn) -> Sequence[Value]:
        """Loads the timeline, in place: a message that drops it must not overtake the result (docs/runtime.md). All
        effects of a turn are loads, so one is enough."""
        assert isinstance(turn.entity, FeedEntity)
        kind, _, id = turn.entity_id.rpartition(":")
        load = loading.author_timeline if f"{kind}:" == AUTHOR else loading.reader_timeline
        async with self._slots, self.context.database.unit_of_work(read_only=True) as uow:
            await load(uow, turn.entity.timeline, UUID(id), self.context.policy)
        LOADED.inc()
        return ()
