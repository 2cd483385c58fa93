"""The headers of tus 1.0 (https://tus.io/protocols/resumable-upload)."""

import base64
import binascii
from collections.abc import Mapping
from hashlib import new
from uuid import UUID

from features.errors import Invalid, Unreadable
from features.media.checksum import ALGORITHMS, Checksum
from features.media.errors import BadConcatenation

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,expiration,checksum,termination,concatenation"
BODY_TYPE = "application/offset+octet-stream"


class BadUploadMetadata(Invalid):
    """Upload-Metadata is not a list of `key base64` pairs with different keys."""

    code = "bad_upload_metadata"
    detail = "Upload-Metadata must be pairs of a key and a value in Base64, separated by commas."
    field = "Upload-Metadata"


class BadUploadChecksum(Unreadable):
    """Upload-Checksum names no algorithm that this server has, or no checksum of it."""

    code = "bad_upload_checksum"
    detail = f"Upload-Checksum must be one of {', '.join(ALGORITHMS)}, a space, and the checksum in Base64."
    field = "Upload-Checksum"


def parse_metadata(header: str) -> Mapping[str, str]:
    """Returns the pairs of Upload-Metadata. Raises BadUploadMetadata."""
    pairs: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in header.split(","))):
        key, _, value = pair.partition(" ")
        try:
            text = base64.b64decode(value.strip(), validate=True).decode()
        except (binascii.Error, ValueError):
            raise BadUploadMetadata from None
        if key in pairs:
            raise BadUploadMetadata
        pairs[key] = text
    return pairs


def parse_checksum(header: str | None) -> Checksum | None:
    """Returns the checksum of Upload-Checksum. Raises BadUploadChecksum."""
    if header is None:
        return None
    algorithm, _, value = header.partition(" ")
    try:
        expected = base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise BadUploadChecksum from None
    if algorithm not in ALGORITHMS or len(expected) != new(algorithm, usedforsecurity=False).digest_size:
        raise BadUploadChecksum
    return Checksum(algorithm, expected)


def parse_concat(header: str | None) -> list[UUID] | None:
    """Returns the uploads that `Upload-Concat: final;...` names by their addresses; None: it is not that. Raises
    BadConcatenation."""
    if header is None or header == "partial":
        return None
    kind, _, addresses = header.partition(";")
    if kind != "final":
        raise BadConcatenation
    try:
        return [UUID(address.rstrip("/").rpartition("/")[2]) for address in addresses.split()]
    except ValueError:
        raise BadConcatenation from None
