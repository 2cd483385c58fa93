"""The events of this slice."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from features.events import EventBody
from features.media.model import MediaType


@dataclass(frozen=True, slots=True)
class Uploaded(EventBody):
    """The last byte of an upload arrived."""

    type: ClassVar[str] = "media.uploaded"
    key: ClassVar[str] = "media_id"
    media_id: UUID
    account_id: UUID


@dataclass(frozen=True, slots=True)
class Stored(EventBody):
    """A medium is ready: its content is one object in storage."""

    type: ClassVar[str] = "media.stored"
    key: ClassVar[str] = "media_id"
    media_id: UUID
    account_id: UUID
    media_type: MediaType


@dataclass(frozen=True, slots=True)
class OftenRead(EventBody):
    """An image was read so often that smaller files of it are worth making."""

    type: ClassVar[str] = "media.often_read"
    key: ClassVar[str] = "media_id"
    media_id: UUID


@dataclass(frozen=True, slots=True)
class Held(EventBody):
    """A medium matched the list of pictures that nobody may publish: it is held for moderators, and nobody sees it."""

    type: ClassVar[str] = "media.held"
    key: ClassVar[str] = "media_id"
    media_id: UUID
    account_id: UUID
    distance: int
    """In bits, of the hash of the list."""


EVENTS = (Uploaded, Stored, OftenRead, Held)
