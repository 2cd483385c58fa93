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
    FAILED = "failed"
    """It cannot be shown; `failure` says why. Nothing of it is stored."""


class ImageFailure(StrEnum):
    """Why a medium cannot be shown. Of a video, the slice of videos knows more."""

    UNREADABLE = "unreadable"
    """It is damaged, or not of the announced type; or a video of which no stream can be made."""
    TOO_MANY_PIXELS = "too_many_pixels"
    TOO_MANY_FRAMES = "too_many_frames"
    TOO_COMPLEX = "too_complex"
    """To decode it takes more memory or time than is allowed."""
    NOT_ALLOWED = "not_allowed"
    """It is one that nobody may publish here."""


@dataclass(frozen=True, slots=True)
class Image:
    """What others see of an image: files of these widths, without anything that the upload had beside pixels."""

    width: int
    """Of the image as it is to be seen, in pixels."""
    height: int
    blurhash: str
    widths: list[int]
    """Of the files, ascending."""


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
    """SHA-256 of the content as it was uploaded, which names the stored object; None unless it is ready."""
    created_at: datetime
    failure: ImageFailure | None = None
    attached_to: UUID | None = None
    """What shows it to others."""
    image: Image | None = None
    """What others see of an image; None for other media, and unless it is ready."""

    def cursor(self) -> Cursor:
        return Cursor(self.created_at, self.id)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """Bytes in object storage."""

    content_type: str
    size: int
    digest: bytes
    """SHA-256, which names the object."""


HASHED_SIDE = 512
"""Pixels of each side of pictures whose hash is compared (pdq.py): Meta's tools make them as large before they hash."""

ORIGINAL = "original"
"""The name of what was uploaded, among the files of a medium."""


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
