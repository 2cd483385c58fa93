"""The state of an upload, and what requests may do to it. The protocol is tus 1.0 (https://tus.io/protocols/resumable-upload).

A request that appends gets a number, the fence, that is one higher than that of the request before. Bytes are kept only
under the present fence and at the present offset, so of several requests the newest wins, however long an older one
stalls, and no lock is held while bytes arrive.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from features.media.errors import (
    BeyondLength,
    EmptyUpload,
    FinalUpload,
    FirstPartTooSmall,
    NoFileType,
    NoSuchUpload,
    OffsetMismatch,
    StorageFull,
    TooManyOpenUploads,
    UploadTooLarge,
    WrongContent,
)
from features.media.model import MediaType
from features.media.policy import MediaPolicy
from features.media.signatures import SIGNATURE_BYTES, type_of


class UploadKind(StrEnum):
    WHOLE = "whole"
    PARTIAL = "partial"
    """To be concatenated with others."""
    FINAL = "final"
    """A concatenation."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload. `received` is its offset: how many bytes are stored."""

    id: UUID
    account_id: UUID
    kind: UploadKind
    length: int
    received: int
    fence: int
    media_type: MediaType | None
    """None for a partial upload: the concatenation has a type."""
    metadata: str
    """The header Upload-Metadata, as the client sent it."""
    concat: str
    """The header Upload-Concat, as the client sent it."""
    parts: int
    expires_at: datetime

    @property
    def complete(self) -> bool:
        return self.received == self.length


@dataclass(frozen=True, slots=True)
class Usage:
    """What an account has already: incomplete uploads, and bytes stored or announced."""

    open_uploads: int
    size: int

    def without(self, uploads: int, size: int) -> "Usage":
        """Returns this without some uploads."""
        return Usage(self.open_uploads - uploads, self.size - size)


def parse_file_type(text: str | None) -> MediaType:
    """Returns the type that a client announces. Raises NoFileType."""
    try:
        return MediaType((text or "").partition(";")[0].strip().lower())
    except ValueError:
        raise NoFileType(f"filetype must be one of {', '.join(MediaType)}.") from None


def check_new(length: int, media_type: MediaType | None, usage: Usage, policy: MediaPolicy) -> None:
    """Checks whether an upload of this length may begin. Raises EmptyUpload, UploadTooLarge, StorageFull,
    TooManyOpenUploads."""
    if length < 1:
        raise EmptyUpload
    allowed = policy.max_upload_bytes
    if media_type is not None:
        allowed = policy.max_image_bytes if media_type.is_image else policy.max_video_bytes
    if length > allowed:
        raise UploadTooLarge(f"At most {allowed} bytes are allowed for {media_type or 'a part'}.")
    if usage.size + length > policy.max_bytes_per_account:
        raise StorageFull(f"You can store at most {policy.max_bytes_per_account} bytes.")
    if usage.open_uploads >= policy.max_open_uploads:
        raise TooManyOpenUploads(f"You can have at most {policy.max_open_uploads} incomplete uploads.")


def check_append(upload: Upload, offset: int, announced: int | None, now: datetime) -> None:
    """Checks whether a request may append at an offset; `announced` is its Content-Length, if it has one. Raises
    NoSuchUpload, FinalUpload, OffsetMismatch, BeyondLength."""
    if upload.expires_at <= now:
        raise NoSuchUpload
    if upload.kind is UploadKind.FINAL:
        raise FinalUpload
    if offset != upload.received:
        raise OffsetMismatch(f"The upload stands at {upload.received}.")
    if announced is not None:
        check_size(upload, offset, announced)


def check_first_part(upload: Upload, start: int, part: bytes | bytearray) -> None:
    """Checks that an upload begins as a file of its type does. Raises FirstPartTooSmall, WrongContent."""
    if start > 0 or upload.media_type is None:
        return
    if len(part) < min(SIGNATURE_BYTES, upload.length):
        raise FirstPartTooSmall
    check_type(upload.media_type, bytes(part[:SIGNATURE_BYTES]))


def check_type(announced: MediaType, head: bytes) -> None:
    """Checks that a file of the announced type begins with `head`. Raises WrongContent."""
    if type_of(head) is not announced:
        raise WrongContent


def check_size(upload: Upload, offset: int, size: int) -> None:
    """Checks that bytes at an offset are within the upload. Raises BeyondLength."""
    if offset + size > upload.length:
        raise BeyondLength


PART_BYTES = 8 * 1024 * 1024
SMALL_PART_BYTES = 512 * 1024


def part_is_due(buffered: int, buffered_by_all: int, budget: int) -> bool:
    """Returns whether a request stores what it has buffered. Parts are smaller than usual while all requests of the
    process together have more than the budget in memory."""
    return buffered >= PART_BYTES or (buffered >= SMALL_PART_BYTES and buffered_by_all > budget)
