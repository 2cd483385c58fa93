"""A header as one file, for places that keep nothing but files: JSON with the content and the names of the segments."""

import base64
import binascii
import hashlib
import json
import re

from client.backup.file_store import BackupUnavailable

_NAME = re.compile("[0-9a-f]{64}")


def encode_header_file(content: bytes, segments: tuple[str, ...]) -> bytes:
    """The file."""
    return json.dumps({"header": base64.b64encode(content).decode(), "segments": segments}).encode()


def decode_header_file(data: bytes) -> tuple[bytes, tuple[str, ...]]:
    """The inverse: content and names. Raises BackupUnavailable for another file."""
    try:
        members = json.loads(data)
        content, segments = base64.b64decode(members["header"], validate=True), tuple(members["segments"])
        if all(isinstance(name, str) and _NAME.fullmatch(name) for name in segments):
            return content, segments
    except (binascii.Error, ValueError, KeyError, TypeError, RecursionError):
        pass
    raise BackupUnavailable("what is there is no backup")


def version_of(data: bytes) -> str:
    """By which a header file is known again, where the place itself has no versions."""
    return hashlib.sha256(data).hexdigest()
