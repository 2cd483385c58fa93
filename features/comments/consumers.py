"""Reactions to events: the counts of posts in memory, the relevance of comments, and what goes with a deleted post."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from cluster.events.consumer import Consumer
from cluster.events.event import Event
from cluster.logs import logger
from cluster.postgres import UnitOfWork
from features.comments import store
from features.comments.events import CommentCreated, CommentDeleted, CommentEvent, CommentHidden, CommentShown
from features.counters.events import CountsCorrected, ReactionsChanged, TargetEvent
from features.counters.model import Target, TargetKind
from features.counters.ports import CountersUnavailable
from features.counters.service import CounterService
from features.events import EventBody, consumer, reader
from features.posts.events import PostDeleted

_COUNTED = (CommentCreated, CommentDeleted, CommentHidden, CommentShown)
_SCORED = (*_COUNTED, ReactionsChanged, CountsCorrected)
_FORGOTTEN_AT_ONCE = 500

_read = reader(_COUNTED)
_read_scored = reader(_SCORED)

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class CommentUpdates:
    """Applies events."""

    counters: CounterService

    def consumers(self) -> list[Consumer]:
        """The consumers of this slice."""
        unavailable = (CountersUnavailable,)
        return [
            consumer("comments.counts", _COUNTED, self._recount, outages=unavailable),
            Consumer("comments.relevance", frozenset(body.type for body in _SCORED), self._score),
            consumer("comments.forget", (PostDeleted,), self._forget, outages=unavailable, outside=True),
            consumer("comments.removed", (CommentDeleted,), self._removed, outages=unavailable, outside=True),
        ]

    async def after_commit(self, events: Sequence[Event]) -> None:
        """Has the counters of posts in memory read what was just committed, so that whoever commented sees it. Raises
        nothing: the consumer repeats what fails here."""
        for event in events:
            body = _read(event)
            if body is None:
                continue
            try:
                await self._reload(body)
            except CountersUnavailable as error:
                log.warning("counts of comments not updated after commit", reason=str(error))

    async def _recount(self, _uow: UnitOfWork, event: CommentEvent) -> None:
        await self._reload(event)

    async def _reload(self, event: CommentEvent) -> None:
        await self.counters.reload([Target(TargetKind.POST, event.post_id)])

    async def _score(self, uow: UnitOfWork, events: Sequence[Event]) -> None:
        """Computes the relevance of the comments that a batch of events is about, in one statement."""
        if changed := {id for event in events if (body := _read_scored(event)) and (id := _scored(body))}:
            await store.score(uow, sorted(changed))

    async def _forget(self, uow: UnitOfWork, event: PostDeleted) -> None:
        """Deletes the comments on a deleted post, in several transactions."""
        while removed := await store.forget(uow, event.post_id, _FORGOTTEN_AT_ONCE):
            await self._forget_counters(uow, removed)
            await uow.commit()

    async def _removed(self, uow: UnitOfWork, event: CommentDeleted) -> None:
        await self._forget_counters(uow, event.removed)

    async def _forget_counters(self, uow: UnitOfWork, comment_ids: Sequence[UUID]) -> None:
        await self.counters.forget(uow, [Target(TargetKind.COMMENT, comment_id) for comment_id in comment_ids])


def _scored(event: EventBody) -> UUID | None:
    """Returns the comment whose relevance an event changes."""
    match event:
        case TargetEvent(target_kind=TargetKind.COMMENT):
            return event.target_id
        case CommentEvent():
            return event.parent_id
    return None
