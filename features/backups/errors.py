"""The errors of backups."""

from collections.abc import Mapping
from typing import Any

from features.errors import Conflict, Invalid, LimitReached, NotFound, RequestTimeout, TooLarge


class NoSuchSegment(NotFound):
    """The caller's account has no such segment."""

    code = "no_such_backup_segment"
    detail = "You have no such segment of a backup."


class WrongDigest(Invalid):
    """The body does not have the SHA-256 by which the request names it."""

    code = "wrong_backup_digest"
    detail = "The segment's name is not the SHA-256 of its bytes."
    field = "digest"


class EmptySegment(Invalid):
    """The body has no bytes."""

    code = "empty_backup_segment"
    detail = "A segment has at least one byte."


class SegmentTooLarge(TooLarge):
    """The body has more bytes than a segment may."""

    code = "backup_segment_too_large"


class SegmentStalled(RequestTimeout):
    """The body has not arrived in time."""

    code = "backup_segment_stalled"
    detail = "The segment did not arrive in time; send it again."


class BackupFull(LimitReached):
    """The account's segments have as many bytes as are allowed, or there are too many that its backup does not name."""

    code = "backup_full"


class RepeatedSegment(Invalid):
    """The backup names a segment twice."""

    code = "repeated_backup_segment"
    detail = "A backup names each segment once."
    field = "segments"


class SegmentsMissing(Conflict):
    """The backup names segments that were not uploaded, or not lately. Nothing was changed."""

    code = "backup_segments_missing"
    detail = "Upload all segments before the backup names them."
    field = "segments"


class BackupChanged(Conflict):
    """Another device has written the backup meanwhile. `current` has the newest version."""

    code = "backup_changed"
    detail = "Another device has written the backup: read it, and write a version that follows it."
    field = "based_on"

    def __init__(self, version: int) -> None:
        super().__init__()
        self.current: Mapping[str, Any] = {"version": version}
