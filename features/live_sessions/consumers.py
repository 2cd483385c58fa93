"""Closes the sockets of sign-in sessions that have ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from cluster.events.consumer import Consumer, each
from cluster.events.event import Event
from cluster.logs import logger
from cluster.postgres import UnitOfWork
from features.errors import Unavailable
from features.live_sessions.ports import LiveSessions

_ENDED = frozenset({"auth.sessions_ended"})

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class SocketRevocation:
    """Closes sockets right after the commit, and again from the event log in case the first attempt failed."""

    live: LiveSessions

    def consumers(self) -> list[Consumer]:
        """The consumers of this slice."""
        return [Consumer("sessions.ended", _ENDED, each(self._consume), outages=(Unavailable,))]

    async def after_commit(self, events: Sequence[Event]) -> None:
        """Handles events that were just committed. Raises nothing: the consumer repeats what fails here."""
        for event in events:
            if event.type in _ENDED:
                try:
                    await self._close(event)
                except Unavailable as error:
                    log.warning("sockets not closed after commit", code=error.code)

    async def _consume(self, _uow: UnitOfWork, event: Event) -> None:
        await self._close(event)

    async def _close(self, event: Event) -> None:
        account_id = UUID(event.payload["account_id"])
        for session_id in event.payload["session_ids"]:
            await self.live.revoke(account_id, UUID(session_id))
