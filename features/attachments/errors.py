"""The errors of attachments."""

from collections.abc import Mapping
from typing import Any

from features.errors import Conflict, Invalid, LimitReached, NotFound, RequestTimeout, TooLarge


class NoSuchAttachment(NotFound):
    """There is no such attachment, or not any more, or it is not complete, or the caller would have to be who uploads
    it."""

    code = "no_such_attachment"
    detail = "There is no such attachment, or it has expired."


class AttachmentTooLarge(TooLarge):
    """The announced size is more than an attachment may have."""

    code = "attachment_too_large"
    field = "size"


class AttachmentsFull(LimitReached):
    """The account's attachments have as many bytes as are allowed, or there are too many of them. Those that expire, or
    are deleted, make room."""

    code = "attachments_full"


class PartOutOfOrder(Conflict):
    """Parts before this one are missing, or there is no such part. `current` has how many bytes have arrived."""

    code = "attachment_part_out_of_order"
    detail = "Send the parts in order, each once the one before has been answered."
    field = "number"

    def __init__(self, received: int) -> None:
        super().__init__()
        self.current: Mapping[str, Any] = {"received": received}


class WrongPartSize(Invalid):
    """The body has other bytes than this part of the attachment has."""

    code = "wrong_attachment_part_size"


class PartStalled(RequestTimeout):
    """The body has not arrived in time."""

    code = "attachment_part_stalled"
    detail = "The part did not arrive in time; send it again."
