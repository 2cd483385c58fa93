"""Results of polls as far as a gateway has read them, so that pages from memory need no statement.

They are everybody's; who sees them is decided at each read (features/posts/polls.py). Those of an open poll go on when
the consumer `posts.poll_counts` counts votes, and the stream of invalidations says so. Those of a closed poll are final
once every vote that was under way when it closed is stored.
"""

from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.feed.invalidations import Invalidation
from features.posts.model import PollDefinition
from features.posts.poll_views import poll_results
from features.posts.polls import PollState, is_closed

_FINAL_AFTER = timedelta(minutes=1)
"""After its close. No request takes as long, and no two clocks differ as much."""


class _Read:
    """A read from Postgres in progress. What is invalidated meanwhile is not kept."""

    __slots__ = ("cleared", "invalidated")

    def __init__(self) -> None:
        self.invalidated = set[bytes]()
        self.cleared = False


class PollResults:
    """The results of up to `capacity` polls, one cache per process. When it is full, the poll read longest ago is
    dropped. Ids are the 16 bytes of posts' ids."""

    def __init__(self, capacity: int = 20_000) -> None:
        self._capacity = capacity
        self._polls: OrderedDict[bytes, tuple[PollState, bool]] = OrderedDict()
        """Post -> results, and whether they are those of the closed poll."""
        self._reads: set[_Read] = set()

    async def read(
        self, uow: UnitOfWork, polls: Mapping[bytes, PollDefinition], now: datetime
    ) -> dict[bytes, PollState]:
        """Returns the results of polls, without anybody's own vote. One statement if some are not known.

        Invalidations must have been read for this request, and be followed: `InvalidationReader.current`."""
        found = dict[bytes, PollState]()
        missing = dict[bytes, PollDefinition]()
        for id, poll in polls.items():
            known = self._polls.get(id)
            if known is None or known[1] != is_closed(poll, now):
                missing[id] = poll
            else:
                found[id] = known[0]
                self._polls.move_to_end(id)
        return found | await self._load(uow, missing, now) if missing else found

    async def _load(
        self, uow: UnitOfWork, polls: Mapping[bytes, PollDefinition], now: datetime
    ) -> dict[bytes, PollState]:
        read = _Read()
        self._reads.add(read)
        try:
            rows = await poll_results(uow, {str(UUID(bytes=id)): poll for id, poll in polls.items()}, now)
        finally:
            self._reads.discard(read)
        results = {UUID(id).bytes: state for id, state in rows.items()}
        for id, state in results.items():
            closed = is_closed(polls[id], now)
            final = not closed or is_closed(polls[id], now - _FINAL_AFTER)
            if final and not read.cleared and id not in read.invalidated:
                self._polls[id] = state, closed
        while len(self._polls) > self._capacity:
            self._polls.popitem(last=False)
        return results

    def invalidate(self, invalidation: Invalidation) -> None:
        """Drops the results of a poll that went on. See invalidations.Invalidated."""
        if invalidation.kind == b"v":
            self._polls.pop(invalidation.id, None)
            for read in self._reads:
                read.invalidated.add(invalidation.id)

    def clear(self) -> None:
        """Drops everything."""
        self._polls.clear()
        for read in self._reads:
            read.cleared = True
