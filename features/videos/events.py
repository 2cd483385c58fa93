"""The events of this slice."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from features.events import EventBody


@dataclass(frozen=True, slots=True)
class VideoEvent(EventBody):
    """A video has another state."""

    key: ClassVar[str] = "media_id"
    media_id: UUID
    account_id: UUID


@dataclass(frozen=True, slots=True)
class Playable(VideoEvent):
    """The first quality of a video's stream can be played."""

    type: ClassVar[str] = "videos.playable"


@dataclass(frozen=True, slots=True)
class Ready(VideoEvent):
    """All qualities of a video's stream can be played."""

    type: ClassVar[str] = "videos.ready"


@dataclass(frozen=True, slots=True)
class CaptionsMissing(VideoEvent):
    """An operator wants a transcript of a video that has no captions, and was ready before there was a transcriber."""

    type: ClassVar[str] = "videos.captions_missing"


@dataclass(frozen=True, slots=True)
class Failed(VideoEvent):
    """A file cannot become a stream. `problem` is a VideoProblem."""

    type: ClassVar[str] = "videos.failed"
    problem: str


EVENTS = (Playable, Ready, CaptionsMissing, Failed)
"""What this slice declares."""
