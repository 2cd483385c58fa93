"""The data of videos."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from fractions import Fraction
from hashlib import sha256
from uuid import UUID


class VideoProblem(StrEnum):
    """Why a file cannot become a stream."""

    BROKEN = "broken"
    """It is damaged, or made to do damage."""
    AUDIO_ONLY = "audio_only"
    NO_VIDEO = "no_video"
    """It has neither video nor audio."""
    NO_FRAMES = "no_frames"
    """It has a video stream with nothing in it."""
    UNKNOWN_CODEC = "unknown_codec"
    TOO_LONG = "too_long"
    BAD_DIMENSIONS = "bad_dimensions"
    BAD_FRAME_RATE = "bad_frame_rate"
    NOT_ALLOWED = "not_allowed"
    """Nobody may publish it here. It is stored as `broken`, which code of the version before knows, with the failure of
    its medium."""


class Unplayable(Exception):
    """A file that cannot become a stream."""

    def __init__(self, problem: VideoProblem) -> None:
        super().__init__(problem)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Source:
    """What is known of an uploaded file before it is transcoded."""

    video_stream: int
    audio_stream: int | None
    width: int
    """As it is shown: rotated, with square pixels."""
    height: int
    start: Fraction
    """Seconds: the time stamp at which the file begins."""
    frame_rate: Fraction
    """Of the streams made from it: constant, frames a second."""
    frames: int
    """Of the streams made from it."""
    interlaced: bool
    high_dynamic_range: bool
    key_frames: tuple[tuple[int, Fraction], ...] = field(default=(), repr=False)
    """Of those chunks that begin with a key frame of the source: the number of the chunk's first frame, and the seconds
    from `start` at which the key frame is shown. No part of what a job's result is named by, which it does not
    change."""

    @property
    def duration(self) -> Fraction:
        """In seconds."""
        return self.frames / self.frame_rate


@dataclass(frozen=True, slots=True)
class Rung:
    """One quality of a stream. All rungs of a video have the same frames and the same key frames."""

    name: str
    width: int
    height: int
    crf: int
    max_rate: int
    preset: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """Frames that are encoded by themselves: from `first` to before `end`, both numbers of frames of the stream."""

    first: int
    end: int

    @property
    def frames(self) -> int:
        return self.end - self.first


class VideoState(StrEnum):
    PROCESSING = "processing"
    PLAYABLE = "playable"
    """There is a stream, and more qualities will be added to it."""
    READY = "ready"
    """The stream has all qualities, or all that could be made."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Video:
    """What becomes of an uploaded video. Its id is that of the medium."""

    id: UUID
    account_id: UUID
    state: VideoState
    problem: VideoProblem | None
    """Of a failed one."""
    percent: int
    """How much of the work is done."""
    attempts: int
    """Failed attempts since the last progress."""
    width: int | None
    """As it is shown; None until it is known."""
    height: int | None
    duration_ms: int | None
    blurhash: str | None
    """A blurred preview of the poster; None until that is drawn."""
    has_storyboard: bool
    created_at: datetime

    @property
    def can_be_played(self) -> bool:
        return self.state in (VideoState.PLAYABLE, VideoState.READY)


class CaptionsOrigin(StrEnum):
    UPLOADED = "uploaded"
    TRANSCRIBED = "transcribed"


@dataclass(frozen=True, slots=True)
class Captions:
    """Captions in one language."""

    language: str
    """A language tag (BCP 47)."""
    label: str
    """What viewers see in a list of languages."""
    origin: CaptionsOrigin


@dataclass(frozen=True, slots=True)
class StreamObject:
    """An object in storage, and what it is to players."""

    key: str
    name: str
    media_type: str
    size: int


@dataclass(frozen=True, slots=True)
class StreamFile:
    """A file that players read: an object in storage, or a text."""

    media_type: str
    size: int
    key: str | None
    """The object's key."""
    content: bytes
    """Where there is no object."""
    final: bool = True
    """Whether the name will never stand for other content."""

    @property
    def tag(self) -> str:
        """Its ETag: another one for other content."""
        named = self.key.encode() if self.key else self.content
        return f'"{sha256(named).hexdigest()[:24]}"'
