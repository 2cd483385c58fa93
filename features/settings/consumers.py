"""Sends changed settings to all sockets of their account."""

from collections.abc import Sequence
from dataclasses import dataclass

from cluster.events.consumer import Consumer
from cluster.events.event import Event
from cluster.logs import logger
from cluster.postgres import Database, UnitOfWork
from features.errors import Unavailable
from features.events import consumer, reader
from features.live_sessions.ports import LiveSessions
from features.settings.events import SettingsChanged
from features.settings.service import SettingsService

KIND = "settings"

_read = reader((SettingsChanged,))

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class SettingsSync:
    """Sends them right after the commit, and again from the event log in case the first attempt failed. Both send what
    the settings are at that moment; a device keeps the highest version that it was sent."""

    service: SettingsService
    live: LiveSessions
    database: Database

    def consumers(self) -> list[Consumer]:
        """The consumers of this slice."""
        return [consumer("settings.sync", (SettingsChanged,), self._send, outages=(Unavailable,))]

    async def after_commit(self, events: Sequence[Event]) -> None:
        """Handles events that were just committed. Raises no Unavailable: the consumer repeats what fails here."""
        for event in events:
            changed = _read(event)
            if changed is not None:
                try:
                    async with self.database.unit_of_work(read_only=True) as uow:
                        await self._send(uow, changed)
                except Unavailable as error:
                    log.warning("settings not sent after commit", code=error.code)

    async def _send(self, uow: UnitOfWork, changed: SettingsChanged) -> None:
        settings = await self.service.get(uow, changed.account_id)
        payload = {"version": settings.version, "settings": settings.values}
        # The version sent, not the event's: of two changes at once both may find the later one.
        await self.live.push(changed.account_id, KIND, payload, key=f"settings.{settings.version}")
