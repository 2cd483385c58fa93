"""Attachments: one random key a file, chunked authenticated encryption (STREAM), padded length."""

from crypto.attachments.attachment import (
    AttachmentReader,
    AttachmentWriter,
    open_attachment,
    seal_attachment,
)
from crypto.attachments.errors import AttachmentRejected
from crypto.attachments.padding import padded_length
from crypto.attachments.pointer import AttachmentPointer

__all__ = [
    "AttachmentPointer",
    "AttachmentReader",
    "AttachmentRejected",
    "AttachmentWriter",
    "open_attachment",
    "padded_length",
    "seal_attachment",
]
