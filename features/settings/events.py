"""The events of this slice."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from features.events import EventBody


@dataclass(frozen=True, slots=True)
class SettingsChanged(EventBody):
    """An account's settings have a new version."""

    type: ClassVar[str] = "settings.changed"
    key: ClassVar[str] = "account_id"
    account_id: UUID
    settings_version: int


EVENTS = (SettingsChanged,)
