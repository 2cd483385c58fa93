"""The events of this slice."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from features.events import EventBody


@dataclass(frozen=True, slots=True)
class GroupJoinRequested(EventBody):
    """Somebody asks to join a group, for the first time within the life of a request."""

    type: ClassVar[str] = "group_invitations.join_requested"
    key: ClassVar[str] = "group_id"
    request_id: UUID
    group_id: UUID
    account_id: UUID


EVENTS = (GroupJoinRequested,)
