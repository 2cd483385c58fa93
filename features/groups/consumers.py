"""Tells groups in memory that the devices of a member, or the sessions that act for them, have changed.

It is done right after the commit, before the response; the consumer repeats it in case that failed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cluster.events.consumer import Consumer
from cluster.events.event import Event
from cluster.logs import logger
from cluster.postgres import Database, UnitOfWork
from features.devices.events import DeviceBound, DeviceEvent, DeviceRemoved
from features.events import consumer, reader
from features.groups import store
from features.groups.errors import GroupsUnavailable
from features.groups.ports import Groups

_FOLLOWED = (DeviceBound, DeviceRemoved)

_read = reader(_FOLLOWED)

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class GroupUpdates:
    """Follows events of devices."""

    database: Database
    groups: Groups

    def consumers(self) -> list[Consumer]:
        """The consumers of this slice."""
        return [consumer("groups.devices", _FOLLOWED, self._consume, outages=(GroupsUnavailable,), outside=True)]

    async def after_commit(self, events: Sequence[Event]) -> None:
        """Applies events that were just committed. Raises nothing but outages of storage: the consumer repeats it."""
        for event in events:
            body = _read(event)
            if body is not None:
                try:
                    async with self.database.unit_of_work(read_only=True) as uow:
                        concerned = await store.groups_of(uow, body.account_id)
                    await self.groups.reload(concerned)
                except GroupsUnavailable:
                    log.warning("groups not reloaded after commit", event_type=event.type)

    async def _consume(self, uow: UnitOfWork, body: DeviceEvent) -> None:
        await self.groups.reload(await store.groups_of(uow, body.account_id))
