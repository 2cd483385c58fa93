"""The events of this slice."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from features.events import EventBody


@dataclass(frozen=True, slots=True)
class FriendRequestEvent(EventBody):
    """Something happened to a friend request."""

    key: ClassVar[str] = "request_id"
    request_id: UUID
    sender_id: UUID
    recipient_id: UUID


@dataclass(frozen=True, slots=True)
class FriendRequested(FriendRequestEvent):
    """The recipient is asked."""

    type: ClassVar[str] = "friends.requested"


@dataclass(frozen=True, slots=True)
class FriendRequestedUnseen(FriendRequestEvent):
    """A request was sent that does not reach its recipient."""

    type: ClassVar[str] = "friends.requested_unseen"


@dataclass(frozen=True, slots=True)
class FriendRequestAccepted(FriendRequestEvent):
    """The two are friends."""

    type: ClassVar[str] = "friends.accepted"


@dataclass(frozen=True, slots=True)
class FriendRemoved(EventBody):
    """A friendship was ended."""

    type: ClassVar[str] = "friends.removed"
    key: ClassVar[str] = "by_id"
    by_id: UUID
    friend_id: UUID


EVENTS = (FriendRequested, FriendRequestedUnseen, FriendRequestAccepted, FriendRemoved)
