"""Files of the types that can be uploaded."""

import random

import pyvips

_HEADS: dict[str, bytes] = {
    "image/jpeg": pyvips.Image.black(24, 16, bands=3).jpegsave_buffer(),
    "image/png": pyvips.Image.black(24, 16, bands=3).pngsave_buffer(),
    "video/mp4": b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41",
}


def file_of(size: int, media_type: str = "image/jpeg", seed: int = 1) -> bytes:
    """Returns a file of a type and size. What follows the image in an image's file means nothing; of a video it has the
    first bytes only."""
    head = _HEADS[media_type]
    return (head + random.Random(seed).randbytes(max(0, size - len(head))))[:size]
