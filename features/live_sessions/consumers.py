"""Closes the sockets of sign-in sessions that have ended."""

from collections.abc import Sequence
from dataclasses import dataclass

from cluster.events.consumer import Consumer
from cluster.events.event import Event
from cluster.logs import logger
from cluster.postgres import UnitOfWork
from features.auth.events import SessionsEnded
from features.errors import Unavailable
from features.events import consumer, reader
from features.live_sessions.ports import LiveSessions

_read = reader((SessionsEnded,))

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class SocketRevocation:
    """Closes sockets right after the commit, and again from the event log in case the first attempt failed."""

    live: LiveSessions

    def consumers(self) -> list[Consumer]:
        """The consumers of this slice."""
        return [consumer("sessions.ended", (SessionsEnded,), self._consume, outages=(Unavailable,))]

    async def after_commit(self, events: Sequence[Event]) -> None:
        """Handles events that were just committed. Raises nothing: the consumer repeats what fails here."""
        for event in events:
            ended = _read(event)
            if ended is not None:
                try:
                    await self._close(ended)
                except Unavailable as error:
                    log.warning("sockets not closed after commit", code=error.code)

    async def _consume(self, _uow: UnitOfWork, ended: SessionsEnded) -> None:
        await self._close(ended)

    async def _close(self, ended: SessionsEnded) -> None:
        for session_id in ended.session_ids:
            await self.live.revoke(ended.account_id, session_id)
