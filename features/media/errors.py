"""The errors of media."""

from features.errors import (
    ChecksumWrong,
    Conflict,
    Forbidden,
    Invalid,
    LimitReached,
    NotFound,
    RequestTimeout,
    TooLarge,
    UnsupportedMediaType,
)


class NoSuchMedia(NotFound):
    """There is no such medium, or it is not the caller's."""

    code = "no_such_media"
    detail = "There is no such medium."


class StillProcessing(Conflict):
    """The medium is uploaded and its content is not ready yet."""

    code = "still_processing"
    detail = "The medium is being processed."


class MediaFailed(Conflict):
    """The medium cannot be shown; its `failure` says why."""

    code = "media_failed"


class MediaAttached(Conflict):
    """The medium is shown by a profile, by a story, or by a post or its history: take it off the profile, or delete the
    story or post."""

    code = "media_attached"
    detail = "A post, a story or your profile shows this medium."


class UnknownMedia(Invalid):
    """The caller has no medium with this id."""

    code = "unknown_media"
    detail = "You have no medium with this id."


class MediaNotReady(Invalid):
    """The medium is being processed: try again when it is ready."""

    code = "media_not_ready"
    detail = "The medium is not ready."


class UnusableMedia(Invalid):
    """The medium cannot be shown to others: its processing failed, or it is no image."""

    code = "unusable_media"
    detail = "The medium cannot be shown to others."


class MediaInUse(Invalid):
    """The medium is attached already: to another post or story, or twice to this one."""

    code = "media_in_use"
    detail = "The medium is attached already."


ATTACHMENT_ERRORS = (UnknownMedia, MediaNotReady, UnusableMedia, MediaInUse)
"""Of media that are to be attached to something. `field` says to which of them it happened."""


class NoSuchUpload(NotFound):
    """There is no such upload, it has expired, or it is not the caller's."""

    code = "no_such_upload"
    detail = "There is no such upload."


class EmptyUpload(Invalid):
    """An upload has at least one byte."""

    code = "empty_upload"
    detail = "An upload has at least one byte."
    field = "Upload-Length"


class UploadTooLarge(TooLarge):
    """The announced length is more than is allowed for this type of file."""

    code = "upload_too_large"
    field = "Upload-Length"


class NoFileType(Invalid):
    """Upload-Metadata has no `filetype`, or one that cannot be uploaded."""

    code = "bad_file_type"
    field = "Upload-Metadata.filetype"


class WrongContent(Invalid):
    """The content is not a file of the announced type."""

    code = "wrong_content"
    detail = "The content is not a file of the announced type."
    field = "Upload-Metadata.filetype"


class FirstPartTooSmall(Invalid):
    """The first bytes of an upload say what it is: the first request has at least 64."""

    code = "first_part_too_small"
    detail = "The first request must have at least 64 bytes, or the whole upload."
    field = "Content-Length"


class TooManyOpenUploads(LimitReached):
    """The caller has as many incomplete uploads as are allowed."""

    code = "too_many_open_uploads"


class StorageFull(LimitReached):
    """The caller has stored as many bytes as are allowed."""

    code = "storage_full"
    field = "Upload-Length"


class TooManyParts(LimitReached):
    """The upload came in more requests than are allowed for one."""

    code = "too_many_parts"
    detail = "This upload came in too many small requests: start again with larger ones."


class OffsetMismatch(Conflict):
    """Upload-Offset is not where the upload stands: HEAD tells."""

    code = "offset_mismatch"
    field = "Upload-Offset"


class UploadFenced(Conflict):
    """A newer request continues this upload."""

    code = "upload_fenced"
    detail = "A newer request continues this upload."


class BeyondLength(Invalid):
    """The body has more bytes than the upload still lacks."""

    code = "beyond_length"
    detail = "The body has more bytes than Upload-Length announced."
    field = "Upload-Length"


class UploadStalled(RequestTimeout):
    """The request sent nothing for too long. What had arrived is kept."""

    code = "upload_stalled"
    detail = "The request sent nothing for too long."


class WrongChecksum(ChecksumWrong):
    """The body does not have the checksum that Upload-Checksum announced. Nothing of it is kept."""

    code = "wrong_checksum"
    detail = "The body does not have the announced checksum."
    field = "Upload-Checksum"


class UploadComplete(Conflict):
    """The upload is complete: what can be deleted is the medium."""

    code = "upload_complete"
    detail = "The upload is complete: delete the medium instead."


class FinalUpload(Forbidden):
    """A concatenation of uploads takes no bytes."""

    code = "final_upload"
    detail = "A concatenation takes no bytes."


class BadConcatenation(Invalid):
    """Upload-Concat names an upload that is no complete partial one of the caller, or one twice."""

    code = "bad_concatenation"
    detail = "Upload-Concat must name complete partial uploads of yours, each once."
    field = "Upload-Concat"


class NotAnUploadBody(UnsupportedMediaType):
    """Bytes of an upload have the Content-Type application/offset+octet-stream."""

    code = "not_an_upload_body"
    detail = "The Content-Type must be application/offset+octet-stream."
    field = "Content-Type"
