"""The events of this slice."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from features.events import EventBody


@dataclass(frozen=True, slots=True)
class Ready(EventBody):
    """All qualities of a video's stream can be played."""

    type: ClassVar[str] = "videos.ready"
    key: ClassVar[str] = "media_id"
    media_id: UUID
    account_id: UUID


@dataclass(frozen=True, slots=True)
class Failed(EventBody):
    """A file cannot become a stream. `problem` is a VideoProblem."""

    type: ClassVar[str] = "videos.failed"
    key: ClassVar[str] = "media_id"
    media_id: UUID
    account_id: UUID
    problem: str


EVENTS = (Ready, Failed)
"""What this slice declares."""
