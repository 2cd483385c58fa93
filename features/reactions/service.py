"""The service of reactions: whoever may see a target may react to it, and see who has."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.bounded_lists import page_until
from features.counters.model import ReactionKind, ReactionsView, Reactor, Target, TargetKind, reactions_view
from features.counters.service import CounterService
from features.errors import NotFound
from features.paging import Page
from features.reactions.ports import TargetAccess
from features.sealed_cursors import SealedCursors, SealedPageRequest


@dataclass(frozen=True, slots=True)
class ReactionService:
    """Operations on reactions. They raise the NotFound of the target's slice for a target that does not exist or that
    the caller may not see."""

    counters: CounterService
    targets: Mapping[TargetKind, TargetAccess]
    cursors: SealedCursors

    async def put(
        self, uow: UnitOfWork, target: Target, account_id: UUID, kind: ReactionKind, now: datetime
    ) -> ReactionsView:
        """Reacts to a target, in place of the caller's former reaction. Returns the reactions after it. Raises
        ReactionNotStored."""
        await self._require_visible(uow, target, account_id)
        await self.counters.react(uow, target, account_id, kind, now)
        return reactions_view((await self.counters.read(uow, [target], account_id))[0])

    async def remove(self, uow: UnitOfWork, target: Target, account_id: UUID, now: datetime) -> None:
        """Removes the caller's reaction, if there is one, also from what the caller may not see any more. Raises
        ReactionNotStored."""
        try:
            await self._require_visible(uow, target, account_id)
        except NotFound:
            if not await self.counters.has_reacted(uow, target, account_id):
                raise
        await self.counters.react(uow, target, account_id, None, now)

    async def reactors(
        self,
        uow: UnitOfWork,
        target: Target,
        viewer_id: UUID | None,
        kind: ReactionKind | None,
        asked: SealedPageRequest,
    ) -> Page[Reactor]:
        """Returns who reacted to a target, newest first, without those who are apart from the viewer. Raises
        BadCursor."""
        cursors = self.cursors.of(f"reactions {target.id}")
        page = cursors.open(asked)
        await self._require_visible(uow, target, viewer_id)
        found, bound = await self.counters.reactors(uow, target, viewer_id, kind, page)
        return page_until(found, page.limit, Reactor.cursor, bound, cursors)

    async def _require_visible(self, uow: UnitOfWork, target: Target, viewer_id: UUID | None) -> None:
        await self.targets[target.kind].require_visible(uow, target.id, viewer_id)
