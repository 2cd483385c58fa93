"""The events of this slice."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from features.events import EventBody


@dataclass(frozen=True, slots=True)
class Uploaded(EventBody):
    """The last byte of an upload arrived."""

    type: ClassVar[str] = "media.uploaded"
    key: ClassVar[str] = "media_id"
    media_id: UUID
    account_id: UUID


EVENTS = (Uploaded,)
