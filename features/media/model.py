"""The data of media."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from features.paging import Cursor


class MediaType(StrEnum):
    """The types of files that can be uploaded."""

    JPEG = "image/jpeg"
    PNG = "image/png"
    GIF = "image/gif"
    WEBP = "image/webp"
    AVIF = "image/avif"
    HEIC = "image/heic"
    MP4 = "video/mp4"
    QUICKTIME = "video/quicktime"
    WEBM = "video/webm"

    @property
    def is_image(self) -> bool:
        return self.value.startswith("image/")


class MediaState(StrEnum):
    PROCESSING = "processing"
    """Uploaded in full; its parts are being put together."""
    READY = "ready"


@dataclass(frozen=True, slots=True)
class Media:
    """Something that an account has uploaded."""

    id: UUID
    account_id: UUID
    media_type: MediaType
    size: int
    """In bytes."""
    state: MediaState
    epoch: int
    """Addresses of the content are good for one epoch."""
    digest: bytes | None
    """SHA-256 of the content, which names the stored object; None while it is processed."""
    created_at: datetime

    def cursor(self) -> Cursor:
        return Cursor(self.created_at, self.id)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a viewer reads the content of a medium without an access token."""

    token: str
    expires_at: datetime


def object_key(digest: bytes) -> str:
    """Returns the storage key of the content with a SHA-256."""
    return f"objects/{digest.hex()}"


def part_key(part_id: UUID) -> str:
    """Returns the storage key of a part of an upload."""
    return f"parts/{part_id}"
