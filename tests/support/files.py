"""Files that begin as their types do."""

import random

_HEADS = {
    "image/jpeg": b"\xff\xd8\xff\xe0",
    "image/png": b"\x89PNG\r\n\x1a\n",
    "video/mp4": b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41",
}


def file_of(size: int, media_type: str = "image/jpeg", seed: int = 1) -> bytes:
    """Returns a file that begins as its type does."""
    head = _HEADS[media_type]
    return (head + random.Random(seed).randbytes(max(0, size - len(head))))[:size]
