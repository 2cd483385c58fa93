"""The events of this slice."""

from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from cluster.events.event import Event
from features.events import EventBody


@dataclass(frozen=True, slots=True)
class ConnectionEvent(EventBody):
    """Somebody came into an account's audience, or left it."""

    key: ClassVar[str] = "owner_id"
    owner_id: UUID
    viewer_id: UUID


@dataclass(frozen=True, slots=True)
class Connected(ConnectionEvent):
    type: ClassVar[str] = "relationships.connected"


@dataclass(frozen=True, slots=True)
class Disconnected(ConnectionEvent):
    type: ClassVar[str] = "relationships.disconnected"


@dataclass(frozen=True, slots=True)
class BlockEvent(EventBody):
    """Somebody blocked an account, or no longer does."""

    key: ClassVar[str] = "blocker_id"
    blocker_id: UUID
    blocked_id: UUID


@dataclass(frozen=True, slots=True)
class Blocked(BlockEvent):
    type: ClassVar[str] = "relationships.blocked"


@dataclass(frozen=True, slots=True)
class Unblocked(BlockEvent):
    type: ClassVar[str] = "relationships.unblocked"


@dataclass(frozen=True, slots=True)
class CirclesChanged(EventBody):
    """An account's mutes, close friends or lists were changed, and with them which posts these readers see."""

    type: ClassVar[str] = "relationships.circles_changed"
    version: ClassVar[int] = 2
    key: ClassVar[str] = "owner_id"
    owner_id: UUID
    reader_ids: tuple[UUID, ...]
    deleted_list_id: UUID | None

    @classmethod
    def upgrade(cls, event: Event) -> dict[str, Any]:
        """Version 1 had the owner as its key only."""
        return {**event.payload, "owner_id": event.key} if event.version == 1 else EventBody.upgrade(event)


EVENTS = (Connected, Disconnected, Blocked, Unblocked, CirclesChanged)
