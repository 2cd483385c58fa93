"""The events of this slice."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from features.events import EventBody


@dataclass(frozen=True, slots=True)
class ProfileCreated(EventBody):
    """A new account has a profile."""

    type: ClassVar[str] = "profiles.created"
    key: ClassVar[str] = "account_id"
    account_id: UUID
    username: str


@dataclass(frozen=True, slots=True)
class ProfileUpdated(EventBody):
    """What a profile shows was changed."""

    type: ClassVar[str] = "profiles.updated"
    key: ClassVar[str] = "account_id"
    account_id: UUID


EVENTS = (ProfileCreated, ProfileUpdated)
