"""Tells conversations in memory what has changed about their members: devices, blocks, states of accounts.

It is done right after the commit, before the response; the consumers repeat it in case that failed.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from cluster.events.consumer import Consumer
from cluster.events.event import Event
from cluster.logs import logger
from cluster.postgres import Database, UnitOfWork
from features.accounts.events import AccountStateChanged
from features.devices.events import DeviceBound, DeviceReachable, DeviceRemoved
from features.events import EventBody, consumer, reader
from features.messaging import store
from features.messaging.errors import MessagingUnavailable
from features.messaging.model import pair_id
from features.messaging.ports import Conversations
from features.relationships.events import Blocked, Unblocked

_FOLLOWED = (DeviceReachable, DeviceBound, DeviceRemoved, Blocked, Unblocked, AccountStateChanged)

_read = reader(_FOLLOWED)

_CALLER_WAITS = timedelta(seconds=2)
"""What depends on it that an entity is reached is its memory alone: it stores nothing that what is stored forbids."""
_CONSUMER_WAITS = timedelta(seconds=60)

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class ConversationUpdates:
    """Follows events of members."""

    database: Database
    conversations: Conversations

    def consumers(self) -> list[Consumer]:
        """The consumers of this slice."""
        return [
            consumer("messaging.members", _FOLLOWED, self._consume, outages=(MessagingUnavailable,), outside=True),
            consumer("messaging.devices", (DeviceRemoved,), _forget_device),
        ]

    async def after_commit(self, events: Sequence[Event]) -> None:
        """Applies events that were just committed. Raises nothing but outages of storage: the consumer repeats it."""
        for event in events:
            body = _read(event)
            if body is not None:
                try:
                    async with self.database.unit_of_work(read_only=True) as uow:
                        concerned = await _concerned(uow, body)
                    await self.conversations.reload(concerned, _CALLER_WAITS)
                except MessagingUnavailable:
                    log.warning("conversations not reloaded after commit", event_type=event.type)

    async def _consume(self, uow: UnitOfWork, body: EventBody) -> None:
        await self.conversations.reload(await _concerned(uow, body), _CONSUMER_WAITS)


async def _concerned(uow: UnitOfWork, body: EventBody) -> Collection[UUID]:
    """Returns the conversations whose members an event is about."""
    match body:
        case Blocked(one, other) | Unblocked(one, other):
            return [pair_id(one, other)]
        case DeviceReachable(account_id) | DeviceBound(account_id) | DeviceRemoved(account_id):
            return await store.conversations_of(uow, account_id)
        case AccountStateChanged(account_id):
            return await store.conversations_of(uow, account_id)
    raise TypeError(body)


async def _forget_device(uow: UnitOfWork, removed: DeviceRemoved) -> None:
    """Deletes what waits for a device that is gone. What is sent to it meanwhile expires."""
    await store.forget_device(uow, removed.account_id, removed.number)
