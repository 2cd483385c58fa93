"""The service of counters. It trusts its callers: whether somebody may see a target, they have asked its slice."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cluster.logs import logger
from cluster.metrics import Counter
from cluster.postgres import UnitOfWork
from features.counters import store
from features.counters.errors import ReactionNotStored
from features.counters.events import ReactionChange, ReactionsChanged
from features.counters.model import NOTHING_COUNTED, Counted, ReactionKind, Reactor, Target
from features.counters.ports import Counters, CountersUnavailable
from features.events import publish
from features.paging import Cursor, PageRequest

FROM_SQL = Counter("entativa_counters_read_from_sql_total", "Reads of counters that memory did not answer")
_FORGOTTEN_AT_ONCE = 2_000

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class CounterService:
    """Counters through their entities. Without entities (`counters` None), through Postgres."""

    counters: Counters | None = None

    async def react(
        self, uow: UnitOfWork, target: Target, account_id: UUID, kind: ReactionKind | None, now: datetime
    ) -> None:
        """Stores an account's reaction, in place of its former one; None: removes it. It is durable at once, whatever
        becomes of the unit of work. Raises ReactionNotStored."""
        if self.counters is None:
            await store.lock(uow, target)
            changed = await store.change(uow, [store.Change(target, account_id, kind, now)])
            for event in events_of([target], changed):
                publish(uow, event, now)
            return
        try:
            await self.counters.react(target, account_id, kind, now)
        except CountersUnavailable as error:
            log.warning("reaction not stored", reason=str(error))
            raise ReactionNotStored from error

    async def has_reacted(self, uow: UnitOfWork, target: Target, account_id: UUID) -> bool:
        """Returns whether an account has a reaction to a target. One statement."""
        return (await store.reactions_of(uow, target.id, [account_id]))[account_id.bytes] is not None

    async def read(self, uow: UnitOfWork, targets: Sequence[Target], viewer_id: UUID | None) -> list[Counted]:
        """Returns the counts of targets, and the viewer's reactions to them: from memory, otherwise in one
        statement."""
        if not targets:
            return []
        if self.counters is not None:
            try:
                return await self.counters.read(targets, viewer_id)
            except CountersUnavailable as error:
                log.info("counters from Postgres", reason=str(error))
        FROM_SQL.inc()
        found = await store.read(uow, [target.id for target in targets], viewer_id)
        return [found.get(target.id, NOTHING_COUNTED) for target in targets]

    async def reactors(
        self, uow: UnitOfWork, target: Target, viewer_id: UUID | None, kind: ReactionKind | None, page: PageRequest
    ) -> tuple[list[Reactor], Cursor | None]:
        """Returns who reacted to a target, newest first, without those who are apart from the viewer, one more than the
        page holds, and where the next page goes on if this one ended before it was full (bounded_lists.py). One
        statement."""
        found = await store.reactors(uow, target.id, viewer_id, kind, page)
        return [store.reactor_of(row) for row in found.rows], found.cursor

    async def reload(self, targets: Sequence[Target]) -> None:
        """Has the entities of targets read what others than they have stored. Raises CountersUnavailable."""
        if self.counters is not None:
            await asyncio.gather(*(self.counters.reload(target) for target in targets))

    async def forget(self, uow: UnitOfWork, targets: Sequence[Target]) -> None:
        """Deletes the counters of targets that are deleted, in several transactions. Raises CountersUnavailable."""
        # What was under way has ended afterwards, and what begins later finds that the targets are gone.
        await self.reload(targets)
        while await store.forget(uow, [target.id for target in targets], _FORGOTTEN_AT_ONCE):
            await uow.commit()


def events_of(targets: Sequence[Target], changed: Sequence[store.Changed]) -> list[ReactionsChanged]:
    """Returns the events of what `store.change` returned, one for each target."""
    kinds = {target.id: target.kind for target in targets}
    changes: dict[UUID, list[ReactionChange]] = {}
    for row in changed:
        changes.setdefault(row.target_id, []).append(ReactionChange(row.account_id, row.kind, row.previous))
    return [ReactionsChanged(id, kinds[id], tuple(made)) for id, made in changes.items()]
