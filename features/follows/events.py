"""The events of this slice."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from features.events import EventBody


@dataclass(frozen=True, slots=True)
class FollowEvent(EventBody):
    """A follow began or ended."""

    key: ClassVar[str] = "followed_id"
    follower_id: UUID
    followed_id: UUID


@dataclass(frozen=True, slots=True)
class Followed(FollowEvent):
    type: ClassVar[str] = "follows.followed"


@dataclass(frozen=True, slots=True)
class Unfollowed(FollowEvent):
    type: ClassVar[str] = "follows.unfollowed"


@dataclass(frozen=True, slots=True)
class FollowerRemoved(FollowEvent):
    """The followed account removed the follower."""

    type: ClassVar[str] = "follows.follower_removed"


EVENTS = (Followed, Unfollowed, FollowerRemoved)
