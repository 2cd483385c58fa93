"""Tells the people somebody writes with that this person's devices have changed, so that they look up the keys."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

from cluster.events.consumer import Consumer
from cluster.metrics import Counter
from cluster.postgres import UnitOfWork
from features.devices.events import DeviceEvent, DeviceRegistered, DeviceRemoved
from features.errors import Unavailable
from features.events import consumer
from features.live_sessions.ports import LiveSessions
from features.messaging import store
from features.messaging.policy import MessagingPolicy

KIND = "devices_changed"

ANNOUNCED = Counter(
    "entativa_device_announcements_total", "Accounts that were told that another's devices have changed", ["outcome"]
)

_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class DeviceAnnouncements:
    """Announces devices that come and go. Another session of a device is no news: its keys stay as they are."""

    live: LiveSessions
    policy: MessagingPolicy

    def consumers(self) -> list[Consumer]:
        """The consumers of this slice."""
        changes = (DeviceRegistered, DeviceRemoved)
        return [consumer("messaging.announcements", changes, self._announce, outside=True)]

    async def _announce(self, uow: UnitOfWork, event: DeviceEvent) -> None:
        people = await store.correspondents(uow, event.account_id, self.policy.max_announced)
        await uow.commit()  # no transaction stays open for the signals
        for start in range(0, len(people), _AT_ONCE):
            await asyncio.gather(*(self._tell(person, event.account_id) for person in people[start : start + _AT_ONCE]))

    async def _tell(self, person: UUID, changed: UUID) -> None:
        """Signals once: who misses it is told by the refusal of the next message."""
        try:
            await self.live.signal(person, KIND, {"account_id": changed})
        except Unavailable:
            ANNOUNCED.labels("lost").inc()
        else:
            ANNOUNCED.labels("sent").inc()
