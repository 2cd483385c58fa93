"""What the end of a device session means for its sockets: they close, at once where that is possible."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from cluster.consumers import Consumer
from cluster.event_log import Event
from cluster.logs import logger
from cluster.postgres import UnitOfWork
from features.errors import Unavailable
from features.sessions.ports import LiveSessions

_ENDED = frozenset({"auth.sessions_ended"})

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class SocketsOfEndedSessions:
    """Closes them: right after the commit, and once more from the event log in case that could not be done."""

    live: LiveSessions

    def consumers(self) -> list[Consumer]:
        """The consumers of this slice."""
        return [Consumer("sessions.ended", _ENDED, self._again, outages=(Unavailable,))]

    async def at_once(self, events: Sequence[Event]) -> None:
        """Act on events that were just committed. Never fails: what does not work now is done by the consumer."""
        for event in events:
            if event.type in _ENDED:
                try:
                    await self._close(event)
                except Unavailable as error:
                    log.warning("sockets not closed at once", code=error.code)

    async def _again(self, _uow: UnitOfWork, event: Event) -> None:
        await self._close(event)

    async def _close(self, event: Event) -> None:
        account_id = UUID(event.payload["account_id"])
        for session_id in event.payload["session_ids"]:
            await self.live.revoke(account_id, UUID(session_id))
